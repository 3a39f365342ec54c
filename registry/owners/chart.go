package owners

import (
	"fmt"
	"strings"
	"time"

	"github.com/munjigi/munjigi/registry/store"
)

// chart is a bar picture in units of its view box, drawn by chart.html.
type chart struct {
	ID, Title, Desc string // Desc says the picture in words
	Bars            []bar
	Grid            []gridLine
	Empty           bool // there is nothing to draw: Desc says so
	Width, Height   int  // of the whole
	Base            int  // y of the axis
}

type bar struct {
	X, Y, W, H int
	Middle     int    // x of the labels
	Label      string // below; may be empty
	Value      string // above; may be empty
	Tip        string // told by the pointer and by readers
	Class      string // "", "now", "weekend"
}

type gridLine struct {
	Y     int
	Label string
}

const (
	chartWidth  = 360
	chartHeight = 190
	chartLeft   = 30 // for the scale
	chartTop    = 22 // for the highest bar's number
	chartBase   = 162
)

// column is what a bar stands for.
type column struct {
	count             int
	label, tip, class string
	value             bool // write the number above
}

// draw lays columns out as bars over a scale that begins at nothing.
func draw(id, title, desc string, columns []column) chart {
	c := chart{ID: id, Title: title, Desc: desc, Width: chartWidth, Height: chartHeight, Base: chartBase}
	most, sum := 1, 0
	for _, col := range columns {
		most = max(most, col.count)
		sum += col.count
	}
	c.Empty = sum == 0
	step := scaleStep(most)
	top := (most + step - 1) / step * step
	y := func(n int) int { return chartBase - n*(chartBase-chartTop)/top }
	for n := 0; n <= top; n += step {
		c.Grid = append(c.Grid, gridLine{Y: y(n), Label: thousands(n)})
	}
	pitch := float64(chartWidth-chartLeft-4) / float64(max(1, len(columns)))
	width := max(2, int(pitch*0.72))
	for i, col := range columns {
		middle := chartLeft + int((float64(i)+0.5)*pitch)
		b := bar{X: middle - width/2, W: width, Middle: middle, Label: col.label, Tip: col.tip, Class: col.class, Y: y(col.count)}
		if b.H = chartBase - b.Y; col.count > 0 && b.H < 2 {
			b.H, b.Y = 2, chartBase-2
		}
		if col.value && col.count > 0 {
			b.Value = thousands(col.count)
		}
		c.Bars = append(c.Bars, b)
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

// hoursChart draws a day. current is the hour that is running, or -1.
func hoursChart(w words, day store.Day, hours store.Hours, current int) chart {
	columns := make([]column, 24)
	peak := 0
	for h, n := range hours {
		if n > hours[peak] {
			peak = h
		}
	}
	for h, n := range hours {
		columns[h] = column{count: n, tip: w.say("chart.hour_tip", "hour", h, "n", thousands(n)), value: n > 0 && (h == peak || h == current)}
		if h%6 == 0 {
			columns[h].label = w.say("chart.hour", "hour", h)
		}
		if h == current {
			columns[h].class = "now"
		}
	}
	desc := w.say("chart.none")
	if total := hours.Total(); total > 0 {
		desc = w.say("chart.hours_desc", "day", w.day(day), "total", thousands(total), "peak", peak, "n", thousands(hours[peak]))
	}
	return draw("hours", w.say("chart.hours"), desc, columns)
}

// daysChart draws days, the last of which may be today.
func daysChart(w words, days []dayCount, today store.Day) chart {
	columns := make([]column, len(days))
	total, most := 0, dayCount{}
	for _, d := range days {
		total += d.Count
		if d.Count > most.Count {
			most = d
		}
	}
	for i, d := range days {
		columns[i] = column{count: d.Count, label: fmt.Sprint(d.Day.Midnight().Day()), tip: w.say("chart.day_tip", "day", w.day(d.Day), "n", thousands(d.Count)), value: most.Count < 1000 || d == most || d.Day == today}
		switch {
		case d.Day == today:
			columns[i].class = "now"
		case d.Day.Midnight().Weekday() == time.Saturday || d.Day.Midnight().Weekday() == time.Sunday:
			columns[i].class = "weekend"
		}
	}
	desc := w.say("chart.none")
	if total > 0 {
		desc = w.say("chart.days_desc", "days", len(days), "total", thousands(total), "peak", w.day(most.Day), "n", thousands(most.Count))
	}
	return draw("days", w.say("chart.days", "days", len(days)), desc, columns)
}

// dayCount is a day's visits.
type dayCount struct {
	Day   store.Day
	Count int
}

// day writes a date with its weekday: 11월 22일 (일), Sun 22 Nov.
func (w words) day(d store.Day) string {
	t := d.Midnight()
	weekday := strings.Fields(w["time.weekdays"])
	months := strings.Fields(w["time.months"])
	if len(weekday) != 7 || len(months) != 12 {
		return d.String()
	}
	return w.say("time.day", "month", months[t.Month()-1], "day", t.Day(), "weekday", weekday[t.Weekday()])
}

// moment writes a date and time of day in Seoul.
func (w words) moment(t time.Time) string {
	if t.IsZero() {
		return w["time.never"]
	}
	t = t.In(store.Seoul)
	return w.say("time.moment", "year", t.Year(), "day", w.day(store.DayOf(t)), "clock", t.Format("15:04"))
}

// recent writes the time of day of what was on the day of now, and the whole
// moment of what was before.
func (w words) recent(t, now time.Time) string {
	if !t.IsZero() && store.DayOf(t) == store.DayOf(now) {
		return t.In(store.Seoul).Format("15:04")
	}
	return w.moment(t)
}

// ago writes how long something is in the past, roughly.
func (w words) ago(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return w["time.just_now"]
	case d < time.Hour:
		return w.say("time.minutes_ago", "n", int(d/time.Minute))
	case d < 48*time.Hour:
		return w.say("time.hours_ago", "n", int(d/time.Hour))
	}
	return w.say("time.days_ago", "n", int(d/(24*time.Hour)))
}
