package main

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"strconv"
)

// BLAKE2s as RFC 7693 gives it, for one block: Go's standard library has none, and what the client calls a
// whole answer hangs on it (sealegs.traffic.outcome.token_text).

var blakeStart = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

var blakeOrder = [10][16]byte{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}

const blakeBlock = 64

// blake2s is the 32-byte digest of a message of at most one block.
func blake2s(message []byte) [32]byte {
	var block [blakeBlock]byte
	copy(block[:], message)
	var words [16]uint32
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(block[4*i:])
	}
	state := blakeStart
	state[0] ^= 0x01010000 ^ 32
	var v [16]uint32
	copy(v[:8], state[:])
	copy(v[8:], blakeStart[:])
	v[12] ^= uint32(len(message))
	v[14] = ^v[14]
	for _, order := range blakeOrder {
		mix := func(a, b, c, d, n int) {
			v[a] += v[b] + words[order[n]]
			v[d] = bits.RotateLeft32(v[d]^v[a], -16)
			v[c] += v[d]
			v[b] = bits.RotateLeft32(v[b]^v[c], -12)
			v[a] += v[b] + words[order[n+1]]
			v[d] = bits.RotateLeft32(v[d]^v[a], -8)
			v[c] += v[d]
			v[b] = bits.RotateLeft32(v[b]^v[c], -7)
		}
		mix(0, 4, 8, 12, 0)
		mix(1, 5, 9, 13, 2)
		mix(2, 6, 10, 14, 4)
		mix(3, 7, 11, 15, 6)
		mix(0, 5, 10, 15, 8)
		mix(1, 6, 11, 12, 10)
		mix(2, 7, 8, 13, 12)
		mix(3, 4, 9, 14, 14)
	}
	var digest [32]byte
	for i := range state {
		binary.LittleEndian.PutUint32(digest[4*i:], state[i]^v[i]^v[i+8])
	}
	return digest
}

// appendToken appends the text of token `index` (from 0) of a request, as the reference engine says it.
func appendToken(to []byte, requestID string, index int) []byte {
	var message [blakeBlock]byte
	named := strconv.AppendInt(append(append(message[:0], requestID...), ':'), int64(index), 10)
	digest := blake2s(named)
	var text [6]byte
	hex.Encode(text[:], digest[:3])
	return append(append(to, ' '), text[:]...)
}
