package main

import (
	"fmt"
	"log"
	"syscall"
	"time"
)

// drain opens so many streams and throws away what comes, to see how much the server can send on its core.
func drain(port, streams, tokens int) {
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		log.Fatal(err)
	}
	body := fmt.Sprintf(`{"model":"bench","stream":true,"max_tokens":%d,"messages":[]}`, tokens)
	ask := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: drain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body)
	for range streams {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			log.Fatal(err)
		}
		if err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			log.Fatal(err)
		}
		_ = syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
		_, _ = syscall.Write(fd, []byte(ask))
	}
	began, read := time.Now(), 0
	ready, buffer := make([]syscall.EpollEvent, 1024), make([]byte, 1<<16)
	for open := streams; open > 0; {
		n, _ := syscall.EpollWait(epoll, ready, -1)
		for i := range max(n, 0) {
			got, _ := syscall.Read(int(ready[i].Fd), buffer)
			if read += max(got, 0); got <= 0 {
				_ = syscall.Close(int(ready[i].Fd))
				open--
			}
		}
	}
	took := time.Since(began).Seconds()
	events := streams * tokens
	fmt.Printf("%d events of %d bytes in %.2f s: %.0f events/s\n", events, read/events, took, float64(events)/took)
}
