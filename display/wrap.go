package display

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// wrap breaks text into at most most lines of at most width pixels, as even
// as possible, so that no line is left with one short word. It reports whether
// it fits.
func (t *typeface) wrap(size int, text string, width, most int) ([]string, bool) {
	if lines, ok := t.set(size, breakable(text, false), width, most); ok {
		return lines, true
	}
	if lines, ok := t.set(size, breakable(text, true), width, most); ok {
		return lines, true
	}
	return []string{text}, false
}

func (t *typeface) set(size int, pieces []string, width, most int) ([]string, bool) {
	widths := make([]int, len(pieces))
	for i, p := range pieces {
		widths[i] = t.width(size, p)
	}
	space := t.width(size, " ")
	for n := 1; n <= min(most, len(pieces)); n++ {
		if ends, widest := even(pieces, widths, space, n); widest <= width {
			var lines []string
			from := 0
			for _, to := range ends {
				lines = append(lines, strings.TrimRight(strings.Join(pieces[from:to], ""), " "))
				from = to
			}
			return lines, true
		}
	}
	return nil, false
}

// even parts the pieces into n lines so that the widest is as narrow as can
// be. It returns where each line ends and the widest line's width.
func even(pieces []string, widths []int, space, n int) (ends []int, widest int) {
	k := len(pieces)
	// best[l][i] is the narrowest way to set the first i pieces on l lines.
	best := make([][]int, n+1)
	from := make([][]int, n+1)
	for l := range best {
		best[l], from[l] = make([]int, k+1), make([]int, k+1)
		for i := range best[l] {
			best[l][i] = 1 << 30
		}
	}
	best[0][0] = 0
	for l := 1; l <= n; l++ {
		for i := 1; i <= k; i++ {
			width := 0
			if strings.HasSuffix(pieces[i-1], " ") {
				width = -space // the line's end needs none
			}
			for j := i - 1; j >= 0; j-- {
				width += widths[j]
				if w := max(width, best[l-1][j]); w < best[l][i] {
					best[l][i], from[l][i] = w, j
				}
			}
		}
	}
	for l, i := n, k; l > 0; l-- {
		ends = append([]int{i}, ends...)
		i = from[l][i]
	}
	return ends, best[n][k]
}

// breakable cuts text where a line may end. Korean and Latin end at spaces.
// Chinese ends after every character, Japanese where hiragana gives way to
// another script, which mostly is a phrase's end; neither begins a line with
// closing punctuation or ends one with opening punctuation (JIS X 4051). Where that
// is not enough, a Japanese line ends anywhere, too, and an address between its parts.
func breakable(text string, anywhere bool) (pieces []string) {
	japanese := strings.IndexFunc(text, kana) >= 0
	start := 0
	for i, r := range text {
		next := i + utf8.RuneLen(r)
		if next >= len(text) {
			break
		}
		follow, _ := utf8.DecodeRuneInString(text[next:])
		end := false
		switch {
		case r == ' ':
			end = true
		case follow == ' ' || closing(follow) || opening(r):
		case anywhere && strings.ContainsRune("/:.-", r): // of an address
			end = follow != '/'
		case closing(r) && wide(r) && r != 'ー':
			end = true
		case japanese && anywhere:
			end = wide(r) && wide(follow)
		case japanese:
			polite := i == start && (r == 'お' || r == 'ご') // a prefix
			end = unicode.Is(unicode.Hiragana, r) && !unicode.Is(unicode.Hiragana, follow) && !polite
		default:
			end = unicode.Is(unicode.Han, r) || unicode.Is(unicode.Han, follow) || anywhere && r == '.'
		}
		if end {
			pieces = append(pieces, text[start:next])
			start = next
		}
	}
	return append(pieces, text[start:])
}

func kana(r rune) bool    { return unicode.In(r, unicode.Hiragana, unicode.Katakana) }
func wide(r rune) bool    { return r >= 0x2E80 }
func opening(r rune) bool { return strings.ContainsRune("「『（【《“([", r) }
func closing(r rune) bool {
	return strings.ContainsRune("、。，．！？：；」』）】》”ー…·.,!?:;)]", r)
}
