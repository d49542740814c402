// A server of token streams that knows exactly what it sent and when: the truth that clients are measured against.
//
// It speaks OpenAI's /v1/chat/completions and /v1/completions, streamed, and /v1/models. One thread serves all
// connections from one epoll and one heap of due times, with one write for each event. Each event carries the
// CLOCK_MONOTONIC nanosecond taken just before its write, and the same stamp is kept for /stamps.
//
//	server -port 18080            streams; the second port, one higher, is for the harness:
//	  POST /reset?ttft_ms=50&gap_ms=20&manner=whole&after=5    forget everything, behave so from now on
//	  GET  /status                counts so far
//	  GET  /stamps                a JSON line for each request
//	server -drain 1000 -port 18080    a client that reads and throws away: what the server can do
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"
)

func main() {
	port := flag.Int("port", 18080, "port for streams on 127.0.0.1; control is on the next one")
	drainers := flag.Int("drain", 0, "be a client of this many streams instead, and print what was received")
	tokens := flag.Int("tokens", 200, "tokens of a drained stream")
	flag.Parse()
	if *drainers > 0 {
		drain(*port, *drainers, *tokens)
		return
	}
	// A collection would be a pause in every stream; memory is given back at /reset.
	debug.SetGCPercent(-1)
	loop, err := newLoop(*port)
	if err != nil {
		log.Fatalf("server: port %d: %v", *port, err)
	}
	go func() {
		runtime.LockOSThread()
		loop.run()
	}()
	control(loop, *port+1)
}

// control answers the harness. It shares the loop's lock, so it is asked while nothing is measured.
func control(loop *loop, port int) {
	http.HandleFunc("POST /reset", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		number := func(name string, otherwise float64) float64 {
			if value, err := strconv.ParseFloat(query.Get(name), 64); err == nil {
				return value
			}
			return otherwise
		}
		manner := query.Get("manner")
		if manner == "" {
			manner = "whole"
		}
		if manner != "mix" && !slices.Contains(manners, manner) {
			http.Error(w, fmt.Sprintf("manner %q: mix or one of %v", manner, manners), http.StatusBadRequest)
			return
		}
		loop.lock.Lock()
		loop.conduct = conduct{
			ttft:   time.Duration(number("ttft_ms", 50) * 1e6),
			gap:    time.Duration(number("gap_ms", 20) * 1e6),
			stall:  time.Duration(number("stall_ms", 5000) * 1e6),
			manner: manner,
			after:  int(number("after", 5)),
		}
		loop.served = nil
		loop.events, loop.late = 0, 0
		loop.lock.Unlock()
		debug.FreeOSMemory()
	})
	http.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		loop.lock.Lock()
		defer loop.lock.Unlock()
		status := map[string]any{"requests": len(loop.served), "open": len(loop.due), "events": loop.events, "late": loop.late}
		if len(loop.served) > 0 {
			status["first_received_ns"] = loop.served[0].ReceivedNs
		}
		_ = json.NewEncoder(w).Encode(status)
	})
	http.HandleFunc("GET /stamps", func(w http.ResponseWriter, r *http.Request) {
		loop.lock.Lock()
		defer loop.lock.Unlock()
		lines := json.NewEncoder(w)
		for _, one := range loop.served {
			if lines.Encode(one) != nil {
				return
			}
		}
	})
	log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", port), nil))
}
