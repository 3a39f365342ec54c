package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// sieve lets through what cannot be of a person: words that stand in the
// program, as every message and every name of a setting does, and the numbers
// and times of a machine. A list of what to take out would always lack one.
type sieve struct{ program []byte }

var (
	// word is what is looked up as a whole. A token or an address is one word,
	// whatever is in it.
	word = regexp.MustCompile(`[^\s"'=,;()\[\]{}<>|]+`)
	// plain are short numbers with a unit, dates, times, durations, sizes.
	plain = regexp.MustCompile(`^[-+]?(\d{1,7}(\.\d{1,6})?(%|[a-zµ]{1,3}|MiB)?|\d{1,5}[x×]\d{1,5}|(\d+h)?(\d+m)?\d{1,7}(\.\d{1,9})?s|0x[0-9a-f]{1,8}` +
		`|20\d\d-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[-+]\d\d:\d\d))?|\d\d:\d\d(:\d\d)?(-\d\d:\d\d)?)[.:]?$`)
	// phone is a telephone number, also where it is written in groups.
	phone = regexp.MustCompile(`(\+?\d{1,3}[-. ])?\(?\d{2,4}\)?[-. ]\d{3,4}[-. ]\d{4}`)
	// address is one of a camera or a server, which may hold a name and a password
	// in pieces that are short numbers, and secret what stands behind such a name.
	address = regexp.MustCompile(`\S+://\S+`)
	secret  = regexp.MustCompile(`(?i)(user|name|login|id|pw|pass\w*|pwd|key|token|auth)(\s*=\s*)[^\s,;]+`)
	// digits are too many for a machine's figure, also where the program has them
	// by chance.
	digits = regexp.MustCompile(`\d([-.]?\d){7}`)
	// common are words so short that a program has any letters like them by
	// chance: a piece of a code is not let through for that.
	common = regexp.MustCompile(`^([a-z]+|[가-힣]+|FAIL|INFO|WARN|ERROR|DEBUG|NTP|TLS|USB|DNS|GPIO\d*|CPU|Go)$`)
)

// shortWord is how many bytes are found in any program by chance.
const shortWord = 6

// text sieves word by word.
func (s sieve) text(text string) string {
	text = secret.ReplaceAllString(address.ReplaceAllString(phone.ReplaceAllString(text, "…"), "…"), "$1$2…")
	return word.ReplaceAllStringFunc(text, func(w string) string {
		if plain.MatchString(w) || s.knows(w) {
			return w
		}
		return "…"
	})
}

// knows says whether a word is the program's own.
func (s sieve) knows(w string) bool {
	w = strings.TrimRight(w, ".:!?")
	switch {
	case strings.Trim(w, "-.:!?/…") == "":
		return true
	case digits.MatchString(w), len(w) < shortWord && !common.MatchString(w):
		return false
	}
	return bytes.Contains(s.program, []byte(w))
}

// log sieves a log: of lines that are not the kiosk's own the rest is counted.
func (s sieve) log(text string) string {
	b := &strings.Builder{}
	others := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "time=") {
			others++
			continue
		}
		b.WriteString(s.text(line))
	}
	fmt.Fprintf(b, "%d lines of others are left out\n", others)
	return b.String()
}
