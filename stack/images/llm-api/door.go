package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	bodyBytesMax = 16 << 20
	dialLimit    = 2 * time.Second
)

// fail answers with an error in OpenAI's form.
func fail(w http.ResponseWriter, status int, kind, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": map[string]any{"message": message, "type": kind, "param": nil, "code": code},
	})
}

// clientOf names the client whose key this is. Keys are read anew each time, so that one which is rotated in
// the Secret counts without a restart; every key is compared, so that the time taken says nothing.
func clientOf(folder, key string) (name string, known bool) {
	given := sha256.Sum256([]byte(key))
	files, _ := filepath.Glob(filepath.Join(folder, "[^.]*"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		wanted := strings.TrimSpace(string(content))
		sum := sha256.Sum256([]byte(wanted))
		if subtle.ConstantTimeCompare(sum[:], given[:]) == 1 && err == nil && wanted != "" {
			name, known = filepath.Base(file), true
		}
	}
	return name, known
}

// newProxy forwards to the engines. It sends nothing twice: a body without GetBody cannot be rewound, so Go's
// transport returns the error of a broken connection instead of trying another one.
func newProxy(upstream *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(upstream)
			request.Out.Header.Del("Authorization")
		},
		FlushInterval: -1,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialLimit}).DialContext,
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		},
		ErrorLog: log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(r.Context().Err(), context.Canceled) {
				panic(http.ErrAbortHandler)
			}
			fail(w, http.StatusBadGateway, "api_error", "engine_unreachable", "no engine answered: "+err.Error())
		},
	}
}

// door checks the key, puts the system prompt in and marks what is to be streamed before a request goes on.
func door(keys, prompts string, seen *counters, next http.Handler) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		began, w := time.Now(), &recorder{ResponseWriter: plain, status: http.StatusOK}
		var asked struct{ Stream bool }
		prompt, promptSum := promptOf(prompts)
		client, known := clientOf(keys, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		seen.inFlight.Add(1)
		completed := false
		defer func() {
			seen.inFlight.Add(-1)
			seen.ended(w.status)
			slog.Info("request", "request_id", r.Header.Get("X-Request-Id"), "client", client, "path", r.URL.Path,
				"status", w.status, "stream", asked.Stream, "bytes", w.bytes, "completed", completed,
				"system_prompt", promptSum, "duration_ms", time.Since(began).Milliseconds())
		}()
		if !known {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytesMax))
		if err != nil {
			fail(w, http.StatusRequestEntityTooLarge, "invalid_request_error", "body_not_read", err.Error())
			return
		}
		if promptSum != "" {
			w.Header().Set("X-System-Prompt", promptSum)
			body = withPrompt(body, prompt)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		// What cannot be read here the engine refuses, in its own words.
		if _ = json.Unmarshal(body, &asked); asked.Stream {
			r.Header.Set("Accept", "text/event-stream")
		} else {
			r.Header.Set("Accept", "application/json")
		}
		next.ServeHTTP(w, r)
		completed = true
	})
}
