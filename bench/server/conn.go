package main

import (
	"container/heap"
	"syscall"
)

// write sends at once, and keeps what does not fit for when the socket is writable again.
func (l *loop) write(c *conn, data []byte) {
	if len(c.out) > 0 {
		c.out = append(c.out, data...)
		return
	}
	n, err := syscall.Write(c.fd, data)
	if err != nil && err != syscall.EAGAIN {
		l.drop(c)
		return
	}
	if n = max(n, 0); n < len(data) {
		c.out = append(c.out, data[n:]...)
		_ = l.watch(c.fd, syscall.EPOLLIN|syscall.EPOLLOUT, syscall.EPOLL_CTL_MOD)
	}
}

// flush sends what was kept.
func (l *loop) flush(c *conn) {
	n, err := syscall.Write(c.fd, c.out)
	if err != nil && err != syscall.EAGAIN {
		l.drop(c)
		return
	}
	if c.out = append(c.out[:0], c.out[max(n, 0):]...); len(c.out) > 0 {
		return
	}
	_ = l.watch(c.fd, syscall.EPOLLIN, syscall.EPOLL_CTL_MOD)
	if c.closes && c.stream == nil {
		l.drop(c)
	}
}

// drop closes a connection and forgets its stream.
func (l *loop) drop(c *conn) {
	if c.stream != nil {
		if at := c.stream.place; at >= 0 {
			heap.Remove(&l.due, at)
		}
	}
	c.gone, c.stream = true, nil
	delete(l.conns, c.fd)
	_ = syscall.Close(c.fd)
}
