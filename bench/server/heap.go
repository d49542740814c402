package main

// dueHeap holds the streams under way, the one that is due first on top (container/heap).
type dueHeap []*stream

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].dueNs < h[j].dueNs }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is heap.Push's.
func (h *dueHeap) Push(one any) {
	s := one.(*stream)
	s.place = len(*h)
	*h = append(*h, s)
}

// Pop is heap.Pop's.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	s.place = -1
	*h = (*h)[:last]
	return s
}
