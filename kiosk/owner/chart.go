package owner

import (
	"fmt"
	"time"

	"github.com/munjigi/munjigi/uplink/journal"
)

// seoul is the time of the country the law of which this serves; it has no
// summer time.
var seoul = time.FixedZone("KST", 9*60*60)

// day is what happened on one day, by its hours.
type day struct {
	Date   time.Time // midnight in Seoul
	Visits [24]int
	Staff  [24]int
}

// dayOf is the midnight before a time.
func dayOf(t time.Time) time.Time {
	y, m, d := t.In(seoul).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, seoul)
}

// readDay adds up the counts of the day that begins at date.
func readDay(c Counts, date time.Time) (day, error) {
	d := day{Date: date}
	counts, err := c.Counts(date, date.AddDate(0, 0, 1))
	if err != nil {
		return d, err
	}
	for _, n := range counts {
		d.add(n)
	}
	return d, nil
}

func (d *day) add(n journal.Count) {
	h := n.Hour.In(seoul).Hour()
	d.Visits[h] += n.Visits
	d.Staff[h] += n.Staff
}

// Total and TotalStaff are the whole day's.
func (d day) Total() int      { return total(d.Visits) }
func (d day) TotalStaff() int { return total(d.Staff) }

func total(hours [24]int) (n int) {
	for _, h := range hours {
		n += h
	}
	return n
}

// Rows are the hours in which anybody came, for the table beside the picture.
func (d day) Rows() (rows []row) {
	for h := range 24 {
		if d.Visits[h]+d.Staff[h] > 0 {
			rows = append(rows, row{h, d.Visits[h], d.Staff[h]})
		}
	}
	return rows
}

type row struct{ Hour, Visits, Staff int }

// chart is a picture of bars in units of its view box, drawn by parts.html.
type chart struct {
	Desc          string // the picture in words
	Bars          []bar
	Grid          []gridLine
	Empty         bool
	Width, Height int
	Base          int // y of the axis
	Left          int
}

type bar struct {
	X, W, Middle int
	Y, H         int // visits
	StaffY       int // and on top of them who was let in by the staff
	StaffH       int
	Label, Value string
	Tip          string
	Now          bool
}

type gridLine struct {
	Y     int
	Label string
}

const (
	chartWidth  = 360
	chartHeight = 190
	chartLeft   = 42
	chartTop    = 22
	chartBase   = 162
)

// draw lays a day out over a scale that begins at nothing. current is the hour
// that is running, or -1.
func draw(w words, d day, current int) chart {
	c := chart{Width: chartWidth, Height: chartHeight, Base: chartBase, Left: chartLeft}
	most, peak := 1, 0
	for h := range 24 {
		if n := d.Visits[h] + d.Staff[h]; n > most {
			most = n
		}
		if d.Visits[h]+d.Staff[h] > d.Visits[peak]+d.Staff[peak] {
			peak = h
		}
	}
	step := scaleStep(most)
	top := (most + step - 1) / step * step
	height := func(n int) int {
		h := n * (chartBase - chartTop) / top
		if n > 0 {
			return max(h, 2)
		}
		return h
	}
	for n := 0; n <= top; n += step {
		c.Grid = append(c.Grid, gridLine{Y: chartBase - n*(chartBase-chartTop)/top, Label: thousands(n)})
	}
	const pitch = float64(chartWidth-chartLeft-2) / 24
	for h := range 24 {
		n := d.Visits[h] + d.Staff[h]
		middle := chartLeft + int((float64(h)+0.5)*pitch)
		b := bar{X: middle - 5, W: 10, Middle: middle, H: height(d.Visits[h]), StaffH: height(d.Staff[h]), Now: h == current, Tip: w.say("today.tip", "hour", h, "n", thousands(n))}
		b.Y = chartBase - b.H
		b.StaffY = b.Y - b.StaffH
		if n > 0 && (h == peak || h == current) {
			b.Value = thousands(n)
		}
		if h%6 == 0 {
			b.Label = w.say("today.hour", "hour", h)
		}
		c.Bars = append(c.Bars, b)
	}
	if n := d.Total() + d.TotalStaff(); n == 0 {
		c.Empty, c.Desc = true, w.say("today.none")
	} else {
		c.Desc = w.say("today.desc", "n", thousands(n), "peak", peak, "most", thousands(d.Visits[peak]+d.Staff[peak]))
	}
	return c
}

// scaleStep is 1, 2 or 5 times a power of ten, so that 2 to 5 lines fit.
func scaleStep(most int) int {
	for step := 1; ; step *= 10 {
		for _, m := range []int{1, 2, 5} {
			if most <= 4*m*step {
				return m * step
			}
		}
	}
}

// thousands writes a number with commas, as Korean and English both do.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
