package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	_ "embed"
	"strings"
)

// WordCount is how many words a fingerprint has: 48 bits, which nobody hits by
// making keys until one fits, and which a person still reads aloud.
const WordCount = 6

//go:embed words.txt
var wordsText string

// wordList is read once at the start; a test holds it to 256 distinct words.
var wordList = strings.Fields(wordsText)

// Words is the fingerprint of a root public key for people to compare: the
// first WordCount bytes of its SHA-256, each the index of a Korean two-syllable
// noun in words.txt.
func Words(root ed25519.PublicKey) []string {
	sum := sha256.Sum256(root)
	words := make([]string, WordCount)
	for i := range words {
		words[i] = wordList[int(sum[i])%len(wordList)]
	}
	return words
}
