package owners

import (
	"encoding/hex"
	"encoding/xml"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/registry/store"
)

var (
	placeholder = regexp.MustCompile(`\{\w+\}`)
	keyInPage   = regexp.MustCompile(`\bt "([a-z_]+\.[a-zA-Z0-9_-]+)"`)
	keyInCode   = regexp.MustCompile(`(?:words|w)(?:\[|\.say\()"([a-z_]+\.[a-zA-Z0-9_-]+)"`)
	keyBuilt    = regexp.MustCompile(`t \(print "([a-z_]+\.[a-z_]*)"`)
)

// Both languages say the same things, all of them, and nothing that is not said.
func TestTexts(t *testing.T) {
	ko, err := loadWords("ko")
	if err != nil {
		t.Fatal(err)
	}
	en, err := loadWords("en")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(ko)), slices.Sorted(maps.Keys(en))); diff != "" {
		t.Errorf("the languages differ (-ko +en):\n%s", diff)
	}
	for key := range ko {
		a, b := placeholder.FindAllString(ko[key], -1), placeholder.FindAllString(en[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) && key != "time.moment" {
			t.Errorf("%s: %v in Korean, %v in English", key, a, b)
		}
		if strings.TrimSpace(ko[key]) == "" || strings.TrimSpace(en[key]) == "" {
			t.Errorf("%s is empty", key)
		}
	}

	used := map[string]bool{}
	read := func(files fs.FS, pattern string, find *regexp.Regexp) {
		names, err := fs.Glob(files, pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range names {
			data, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range find.FindAllStringSubmatch(string(data), -1) {
				used[m[1]] = true
				if _, ok := ko[m[1]]; !ok && find != keyBuilt {
					t.Errorf("%s says %s, which has no text", name, m[1])
				}
			}
		}
	}
	read(web, "web/*.html", keyInPage)
	read(web, "web/*.html", keyBuilt)
	read(os.DirFS("."), "[a-z]*.go", keyInCode)
	for key := range ko {
		group, _, _ := strings.Cut(key, ".")
		built := false
		for prefix := range used {
			built = built || strings.HasPrefix(key, prefix)
		}
		if !built && !slices.Contains([]string{"kind", "mail"}, group) {
			t.Errorf("%s is said nowhere: delete it", key)
		}
	}
	for _, key := range done {
		if _, ok := ko["done."+key]; !ok {
			t.Errorf("done.%s has no text", key)
		}
	}
}

// Every pair of colours that text uses has a contrast of 4.5:1 or more, and what
// pictures are told by 3:1 (WCAG 2.2, 1.4.3 and 1.4.11), by day and by night.
func TestContrast(t *testing.T) {
	css, err := web.ReadFile("web/owners.css")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(string(css), -1)
	light, night := map[string]string{}, map[string]string{}
	for i, colours := range []map[string]string{light, night} {
		for _, m := range regexp.MustCompile(`--([\w-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(blocks[i][1], -1) {
			colours[m[1]] = m[2]
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(light)), slices.Sorted(maps.Keys(night))); diff != "" {
		t.Errorf("light and dark name other colours (-light +dark):\n%s", diff)
	}
	for name, c := range map[string]map[string]string{"light": light, "dark": night} {
		check := func(ink, ground string, least float64) {
			if got := contrast(t, c[ink], c[ground]); got < least {
				t.Errorf("%s: %s on %s has contrast %.2f, want %.1f", name, ink, ground, got, least)
			}
		}
		for _, ground := range []string{"page", "card"} {
			for _, ink := range []string{"ink", "soft", "accent", "bad", "good", "look"} {
				check(ink, ground, 4.5)
			}
			check("edge", ground, 3)
		}
		for _, bar := range []string{"bar", "bar-now"} {
			check(bar, "card", 3)
		}
		for _, state := range []string{"good", "look", "bad"} {
			check(state, state+"-wash", 4.5)
			check("ink", state+"-wash", 4.5)
		}
		check("accent-ink", "accent", 4.5)
		check("card", "bad", 4.5) // the button that revokes
		check("ink", "wash", 4.5)
		check("accent", "wash", 4.5)
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	c, err := hex.DecodeString(strings.TrimPrefix(colour, "#"))
	if err != nil || len(c) != 3 {
		t.Fatalf("colour %q: %v", colour, err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(c[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

// A picture's bars are as high as what they stand for, within its frame.
func TestCharts(t *testing.T) {
	w, err := loadWords("ko")
	if err != nil {
		t.Fatal(err)
	}
	today := store.DayOf(t0)
	for _, counts := range [][]int{{0}, {1}, {3, 1, 2}, {9, 99, 999, 9999, 123456}, make([]int, 14)} {
		days := make([]dayCount, len(counts))
		for i, n := range counts {
			days[i] = dayCount{today - store.Day(len(counts)-1-i), n}
		}
		c := daysChart(w, days, today)
		top := slices.Max(counts)
		for i, b := range c.Bars {
			if b.Y < chartTop-1 || b.Y+b.H != chartBase || b.X < chartLeft || b.X+b.W > chartWidth {
				t.Errorf("%v: bar %d lies at %+v", counts, i, b)
			}
			if (b.H == 0) != (counts[i] == 0) {
				t.Errorf("%v: bar %d is %d high", counts, i, b.H)
			}
			if i > 0 && (b.H > c.Bars[i-1].H) != (counts[i] > counts[i-1]) && b.H > 2 {
				t.Errorf("%v: bar %d is higher than the one before for fewer visits", counts, i)
			}
		}
		if n := len(c.Grid); n < 2 || n > 6 || c.Grid[0].Y != chartBase {
			t.Errorf("%v: a scale of %d lines", counts, n)
		}
		if top > 0 && !strings.Contains(c.Desc, thousands(top)) {
			t.Errorf("%v: told as %q", counts, c.Desc)
		}
	}
	var hours store.Hours
	hours[11], hours[12] = 40, 7
	c := hoursChart(w, today, hours, 12)
	if len(c.Bars) != 24 || c.Bars[11].Value != "40" || c.Bars[12].Class != "now" || c.Bars[12].Value != "7" || c.Bars[6].Label != "6시" {
		t.Errorf("%+v", c)
	}
}

// The icon is a picture, and the pages are well-formed enough to be read as XML
// where they draw.
func TestPicturesAreWellFormed(t *testing.T) {
	h := lite(t)
	b := h.boss(business1, "haneul@example.com")
	branch := b.branch("본점 & <강남>")
	h.visits(facilityOf(branch), "k", t0.Add(-1), 3)
	body := b.see(branch)
	icon, err := web.ReadFile("web/icon.svg")
	if err != nil {
		t.Fatal(err)
	}
	svgs := append(regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(body, -1), string(icon))
	if len(svgs) < 4 {
		t.Fatalf("%d pictures", len(svgs))
	}
	for _, svg := range svgs {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in %.200s", err, svg)
			}
		}
	}
	if a := b.get("/owners/icon.svg"); a.status != 200 || a.header.Get("Content-Type") != "image/svg+xml" {
		t.Error(a.status)
	}
	if a := b.get("/owners/owners.css"); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/css") {
		t.Error(a.status)
	}
	for _, name := range []string{"base.html", "..%2fowners.go", "nothing.css"} {
		if a := b.get("/owners/" + name); a.status != 404 {
			t.Errorf("/owners/%s: %d", name, a.status)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for most, want := range map[int]int{1: 1, 4: 1, 5: 2, 8: 2, 9: 5, 20: 5, 21: 10, 470: 200, 123456: 50000} {
		if got := scaleStep(most); got != want {
			t.Errorf("a scale up to %d has steps of %d, want %d", most, got, want)
		}
	}
	if got := strings.Join([]string{gibibytes(300), gibibytes(1536), tenths(-5)}, ", "); got != "300 MB, 1.5 GB, −0.5" {
		t.Error(got)
	}
}
