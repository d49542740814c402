package main

import (
	"encoding/hex"
	"testing"
)

// The digest is RFC 7693's own example (appendix B), and the token is Python's.
func TestTokenIsTheReferenceEngines(t *testing.T) {
	digest := blake2s([]byte("abc"))
	if got := hex.EncodeToString(digest[:]); got != "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982" {
		t.Errorf("blake2s(abc) = %s", got)
	}
	if got := string(appendToken(nil, "r000017", 123)); got != " 514767" {
		t.Errorf("token = %q", got)
	}
}
