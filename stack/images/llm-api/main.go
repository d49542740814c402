// llm-api is the door of the stack: it checks the API key and forwards to the engines, event by event.
//
// It reads from a body whether the answer is to be streamed: OpenAI's clients say so nowhere else, and the mesh,
// which limits the time of answers that come whole, sees headers only. And it puts the system prompt before a
// chat's messages. See stack/README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	headerLimit = 5 * time.Second
	// Longer than the hour after which Envoy closes an idle connection: of two ends that may close one,
	// the one that sends requests on it must be the first.
	idleLimit = 61 * time.Minute
)

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	upstream, err := url.Parse(os.Getenv("UPSTREAM"))
	drainLimitS, limitErr := strconv.ParseFloat(setting("DRAIN_LIMIT_S", "30"), 64)
	if err := errors.Join(err, limitErr); err != nil || upstream.Host == "" {
		slog.Error("settings that cannot be used", "UPSTREAM", os.Getenv("UPSTREAM"), "error", fmt.Sprint(err))
		os.Exit(4)
	}
	prompts := setting("PROMPTS_DIR", "/etc/llm-prompts")
	seen := &counters{byStatus: map[int]int64{}, prompts: prompts}
	routes := http.NewServeMux()
	up := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"status":"UP"}`) }
	routes.HandleFunc("GET /actuator/health/liveness", up)
	routes.HandleFunc("GET /actuator/health/readiness", up)
	routes.Handle("GET /metrics", seen)
	routes.Handle("/v1/", door(setting("KEYS_DIR", "/etc/llm-api-keys"), prompts, seen, newProxy(upstream)))
	server := &http.Server{Handler: routes, IdleTimeout: idleLimit, ReadHeaderTimeout: headerLimit}
	listener, err := net.Listen("tcp", setting("LISTEN", ":8080"))
	if err != nil {
		slog.Error("cannot listen", "error", err.Error())
		os.Exit(5)
	}
	slog.Info("listening", "address", listener.Addr().String(), "upstream", upstream.String())
	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() { _ = server.Serve(listener) }()
	<-stopping.Done()
	slog.Info("draining", "in_flight", seen.inFlight.Load())
	limited, cancel := context.WithTimeout(context.Background(), time.Duration(drainLimitS*float64(time.Second)))
	defer cancel()
	if err := server.Shutdown(limited); err != nil {
		slog.Error("cut what was still in flight", "in_flight", seen.inFlight.Load())
		_ = server.Close()
	}
}
