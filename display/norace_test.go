//go:build !race

package display

const raced = false
