//go:build race

package display

// raced: the race detector watches, which makes each pixel ten times as dear.
const raced = true
