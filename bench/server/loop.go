package main

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// manners are the ways to answer; all but the first go wrong after `after` tokens.
var manners = []string{"whole", "cut", "ends", "reset", "stall", "error"}

// conduct is how requests are answered: all in one manner, or in all of them by turns when it is "mix".
type conduct struct {
	ttft, gap, stall time.Duration
	manner           string
	after            int
}

// record is what is remembered of a request. All stamps are nanoseconds of CLOCK_MONOTONIC.
type record struct {
	RequestID  string  `json:"request_id"`
	Manner     string  `json:"manner"`
	Tokens     int     `json:"tokens"`
	ReceivedNs int64   `json:"received_ns"`
	SentNs     []int64 `json:"sent_ns"`
}

// stream is one answer under way.
type stream struct {
	conn        *conn
	record      *record
	name        string
	chat, usage bool
	prompt      int
	dueNs       int64
	conduct     conduct
	stalled     bool
	place       int // in the heap; -1 when in none
}

// conn is one connection: what it has received, and what could not be written yet.
type conn struct {
	fd      int
	in, out []byte
	stream  *stream
	closes  bool
	gone    bool
}

type loop struct {
	lock        sync.Mutex // held but while waiting
	epoll, door int
	conns       map[int]*conn
	due         dueHeap
	conduct     conduct
	served      []*record
	events      int
	late        int // events written more than 2 ms after they were due
	buffer      []byte
	event       []byte
}

const lateNs = 2_000_000

// Go reads CLOCK_MONOTONIC as well, but counts from a zero of its own: the distance is taken once.
var (
	began   = time.Now()
	beganNs = monotonicNs()
)

func monotonicNs() int64 {
	var at syscall.Timespec
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&at)), 0)
	return at.Nano()
}

// nowNs is what Python's time.monotonic_ns says at this moment.
func nowNs() int64 { return beganNs + int64(time.Since(began)) }

func newLoop(port int) (*loop, error) {
	door, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	_ = syscall.SetsockoptInt(door, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err = syscall.Bind(door, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	if err = syscall.Listen(door, 4096); err != nil {
		return nil, err
	}
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		return nil, err
	}
	made := &loop{epoll: epoll, door: door, conns: map[int]*conn{}, buffer: make([]byte, 1<<16)}
	made.conduct = conduct{ttft: 50 * time.Millisecond, gap: 20 * time.Millisecond, manner: "whole", after: 5}
	return made, made.watch(door, syscall.EPOLLIN, syscall.EPOLL_CTL_ADD)
}

func (l *loop) watch(fd int, events uint32, how int) error {
	return syscall.EpollCtl(l.epoll, how, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)})
}

// wait sleeps until something is readable or the first stream is due: nanoseconds matter, so epoll_pwait2.
func (l *loop) wait(ready []syscall.EpollEvent) int {
	var limit *syscall.Timespec
	if len(l.due) > 0 {
		at := syscall.NsecToTimespec(max(0, l.due[0].dueNs-nowNs()))
		limit = &at
	}
	const epollPwait2 = 441
	l.lock.Unlock()
	n, _, errno := syscall.Syscall6(epollPwait2, uintptr(l.epoll), uintptr(unsafe.Pointer(&ready[0])),
		uintptr(len(ready)), uintptr(unsafe.Pointer(limit)), 0, 0)
	l.lock.Lock()
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (l *loop) run() {
	ready := make([]syscall.EpollEvent, 256)
	l.lock.Lock()
	for {
		n := l.wait(ready)
		for _, one := range ready[:n] {
			if fd := int(one.Fd); fd == l.door {
				l.accept()
			} else if c := l.conns[fd]; c != nil {
				if one.Events&syscall.EPOLLOUT != 0 {
					l.flush(c)
				}
				if one.Events&^syscall.EPOLLOUT != 0 && !c.gone {
					l.receive(c)
				}
			}
		}
		// So many at most before the sockets are looked at again: new requests must not wait for a late server.
		for range 256 {
			if len(l.due) == 0 || l.due[0].dueNs > nowNs() {
				break
			}
			l.speak(l.due[0])
		}
	}
}

func (l *loop) accept() {
	for {
		fd, _, err := syscall.Accept4(l.door, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		l.conns[fd] = &conn{fd: fd}
		_ = l.watch(fd, syscall.EPOLLIN, syscall.EPOLL_CTL_ADD)
	}
}

func (l *loop) receive(c *conn) {
	n, err := syscall.Read(c.fd, l.buffer)
	if err == syscall.EAGAIN {
		return
	}
	if n <= 0 {
		l.drop(c)
		return
	}
	c.in = append(c.in, l.buffer[:n]...)
	l.take(c)
}

// take starts on the next request of a connection, if it is whole and the one before has been answered.
func (l *loop) take(c *conn) {
	receivedNs := nowNs()
	for c.stream == nil && !c.gone {
		got, size := parse(c.in)
		if size == 0 {
			return
		}
		c.closes = got.closes
		l.begin(c, got, receivedNs)
		c.in = append(c.in[:0], c.in[size:]...)
	}
}

func (l *loop) begin(c *conn, got asked, receivedNs int64) {
	chat := got.path == "/v1/chat/completions"
	if !chat && got.path != "/v1/completions" {
		l.write(c, plain("200 OK", models))
		return
	}
	var want wanted
	if json.Unmarshal(got.body, &want) != nil || !want.Stream {
		l.write(c, plain("400 Bad Request", `{"error":{"message":"only streams are served here","code":400}}`))
		return
	}
	id := got.requestID
	if id == "" || len(id) > 48 {
		id = fmt.Sprintf("n%06d", len(l.served))
	}
	how := l.conduct
	if how.manner == "mix" {
		how.manner = manners[len(l.served)%len(manners)]
	}
	kept := &record{RequestID: id, Manner: how.manner, Tokens: want.tokens(), ReceivedNs: receivedNs}
	kept.SentNs = make([]int64, 0, want.tokens())
	l.served = append(l.served, kept)
	c.stream = &stream{
		conn: c, record: kept, name: fmt.Sprintf("%07d", len(l.served)), chat: chat,
		usage: want.StreamOptions.IncludeUsage, prompt: want.words(),
		dueNs: receivedNs + int64(how.ttft), conduct: how, place: -1,
	}
	head := eventsHead
	if c.closes {
		head += "connection: close\r\n"
	}
	l.write(c, []byte(head+"\r\n"))
	if !c.gone {
		heap.Push(&l.due, c.stream)
	}
}

// speak does what is due in a stream: a token, or the way it goes wrong.
func (l *loop) speak(s *stream) {
	said := len(s.record.SentNs)
	if s.conduct.manner != "whole" && said == s.conduct.after && !s.stalled {
		l.misbehave(s)
		return
	}
	stamp := nowNs()
	if stamp-s.dueNs > lateNs {
		l.late++
	}
	var text [16]byte
	l.event = s.appendEvent(l.event[:0], appendToken(text[:0], s.record.RequestID, said), "null", stamp)
	s.record.SentNs = append(s.record.SentNs, stamp)
	l.events++
	c := s.conn
	l.write(c, appendChunk(l.buffer[:0], l.event))
	if c.gone {
		return
	}
	if said+1 < s.record.Tokens {
		s.dueNs += int64(s.conduct.gap)
		heap.Fix(&l.due, 0)
		return
	}
	l.finish(s, s.appendTail(l.buffer[:0], stamp))
}

func (l *loop) misbehave(s *stream) {
	c := s.conn
	switch s.conduct.manner {
	case "stall":
		s.stalled = true
		s.dueNs += int64(s.conduct.stall)
		heap.Fix(&l.due, 0)
	case "ends":
		l.finish(s, []byte("0\r\n\r\n"))
	case "error":
		out := appendChunk(nil, []byte(`{"error":{"message":"engine died","type":"internal_error","code":500}}`))
		l.finish(s, append(appendChunk(out, []byte("[DONE]")), "0\r\n\r\n"...))
	case "reset":
		_ = syscall.SetsockoptLinger(c.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		l.drop(c)
	case "cut":
		l.drop(c)
	}
}

// finish writes the end of an answer; the connection is closed or takes its next request.
func (l *loop) finish(s *stream, tail []byte) {
	c := s.conn
	heap.Remove(&l.due, s.place)
	c.stream = nil
	l.write(c, tail)
	if c.gone {
		return
	}
	if c.closes && len(c.out) == 0 {
		l.drop(c)
		return
	}
	l.take(c)
}
