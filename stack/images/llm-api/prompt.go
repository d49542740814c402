package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

const promptFile = "system.txt"

// promptOf is the system prompt, and the sum by which people tell which one it is; both are empty when there
// is none. It is read anew each time, as the keys are: a ConfigMap mounted as a folder changes under a pod.
func promptOf(folder string) (text, sum string) {
	content, err := os.ReadFile(filepath.Join(folder, promptFile))
	if text = strings.TrimSpace(string(content)); err != nil || text == "" {
		return "", ""
	}
	digest := sha256.Sum256([]byte(text))
	return text, hex.EncodeToString(digest[:6])
}

// withPrompt puts the system prompt before a chat's messages, unless the chat brings its own. What is no chat,
// or cannot be read, is left as it is.
func withPrompt(body []byte, text string) []byte {
	var fields map[string]json.RawMessage
	var messages []json.RawMessage
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields["messages"], &messages) != nil {
		return body
	}
	if len(messages) == 0 {
		return body
	}
	var first struct{ Role string }
	if json.Unmarshal(messages[0], &first) != nil || first.Role == "system" {
		return body
	}
	ours, _ := json.Marshal(map[string]string{"role": "system", "content": text})
	fields["messages"], _ = json.Marshal(append([]json.RawMessage{ours}, messages...))
	longer, err := json.Marshal(fields)
	if err != nil {
		return body
	}
	return longer
}
