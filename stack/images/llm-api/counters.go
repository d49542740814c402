package main

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// recorder knows what was answered, for the log and the counters.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(content []byte) (int, error) {
	n, err := r.ResponseWriter.Write(content)
	r.bytes += int64(n)
	return n, err
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

type counters struct {
	inFlight atomic.Int64
	lock     sync.Mutex
	byStatus map[int]int64
	prompts  string
}

func (c *counters) ended(status int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.byStatus[status]++
}

func (c *counters) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.lock.Lock()
	defer c.lock.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(w, "# TYPE llm_api_requests_in_flight gauge\nllm_api_requests_in_flight %d\n", c.inFlight.Load())
	if _, sum := promptOf(c.prompts); sum != "" {
		fmt.Fprintf(w, "# TYPE llm_api_system_prompt_info gauge\nllm_api_system_prompt_info{sum=\"%s\"} 1\n", sum)
	}
	fmt.Fprintln(w, "# TYPE llm_api_requests_total counter")
	for status, count := range c.byStatus {
		fmt.Fprintf(w, "llm_api_requests_total{code=\"%d\"} %d\n", status, count)
	}
}
