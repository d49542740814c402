package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// asked is what a client wants: the part of its HTTP request that matters here.
type asked struct {
	path, requestID string
	closes          bool
	body            []byte
}

// parse takes one HTTP request off the front of `in`. It returns how many bytes that was; 0 when it is not whole.
func parse(in []byte) (asked, int) {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 {
		return asked{}, 0
	}
	lines := strings.Split(string(in[:end]), "\r\n")
	var got asked
	if words := strings.Fields(lines[0]); len(words) > 1 {
		got.path, _, _ = strings.Cut(words[1], "?")
	}
	length := 0
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			length, _ = strconv.Atoi(value)
		case "x-request-id":
			got.requestID = value
		case "connection":
			got.closes = strings.EqualFold(value, "close")
		}
	}
	whole := end + 4 + length
	if len(in) < whole {
		return asked{}, 0
	}
	got.body = in[end+4 : whole]
	return got, whole
}

// wanted is the part of a completion request's body that matters here.
type wanted struct {
	MaxTokens           int             `json:"max_tokens"`
	MaxCompletionTokens int             `json:"max_completion_tokens"`
	Stream              bool            `json:"stream"`
	Prompt              json.RawMessage `json:"prompt"`
	Messages            json.RawMessage `json:"messages"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// words is how many words a prompt has, about: the tokens of a tokenizer of words.
func (w wanted) words() int {
	return max(1, bytes.Count(w.Prompt, []byte(" "))+bytes.Count(w.Messages, []byte(" ")))
}

func (w wanted) tokens() int {
	if n := max(w.MaxTokens, w.MaxCompletionTokens); n > 0 {
		return n
	}
	return 16
}

const eventsHead = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n" +
	"cache-control: no-cache\r\nx-served-by: bench\r\n"

// plain is a whole answer that is no stream.
func plain(status, body string) []byte {
	return []byte("HTTP/1.1 " + status + "\r\ncontent-type: application/json\r\ncontent-length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

const models = `{"object":"list","data":[{"id":"bench","object":"model","created":1700000000,"owned_by":"bench"}]}`

// appendChunk appends one HTTP chunk that holds one event.
func appendChunk(to, data []byte) []byte {
	to = strconv.AppendInt(to, int64(len(data)+8), 16)
	to = append(append(to, "\r\ndata: "...), data...)
	return append(to, "\n\n\r\n"...)
}

// appendEvent appends the data of one event of a stream: some 230 bytes on the wire.
func (s *stream) appendEvent(to []byte, text []byte, finish string, stamp int64) []byte {
	kind, object := "delta\":{\"content\":\"", "chat.completion.chunk"
	after := "\"}"
	if !s.chat {
		kind, object, after = "text\":\"", "text_completion", "\""
	}
	if text == nil {
		if kind, after = "delta\":{", "}"; !s.chat {
			kind, after = "text\":\"", "\""
		}
	}
	to = append(append(to, `{"id":"bench-`...), s.name...)
	to = append(append(to, `","object":"`...), object...)
	to = append(to, `","created":1700000000,"model":"bench","choices":[{"index":0,"`...)
	to = append(append(to, kind...), text...)
	to = append(append(to, after...), `,"logprobs":null,"finish_reason":`...)
	to = append(append(to, finish...), `}],"sent_ns":`...)
	return append(strconv.AppendInt(to, stamp, 10), '}')
}

// appendTail appends how an answer ends when it is whole.
func (s *stream) appendTail(to []byte, stamp int64) []byte {
	to = appendChunk(to, s.appendEvent(nil, nil, `"length"`, stamp))
	if s.usage {
		prompt, said := strconv.Itoa(s.prompt), strconv.Itoa(len(s.record.SentNs))
		object := "text_completion"
		if s.chat {
			object = "chat.completion.chunk"
		}
		total := strconv.Itoa(s.prompt + len(s.record.SentNs))
		to = appendChunk(to, []byte(`{"id":"bench-`+s.name+`","object":"`+object+`","created":1700000000,"model":"bench",`+
			`"choices":[],"usage":{"prompt_tokens":`+prompt+`,"completion_tokens":`+said+`,"total_tokens":`+total+`}}`))
	}
	to = appendChunk(to, []byte("[DONE]"))
	return append(to, "0\r\n\r\n"...)
}
