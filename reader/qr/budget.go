package qr

import "time"

// fullHD is the largest picture that one budget is for.
const fullHD = 1920 * 1080

const (
	defaultBudget = 25 * time.Millisecond
	// A machine is slow when preparing a picture of 1280×720 takes more than a twelfth of the
	// default budget: what has to be done for every picture would then leave little of it for reading.
	slowness      = 12
	preparedPixel = 1280 * 720
	leastPaced    = 100_000 // pixels: smaller pictures say little about the machine
)

// begin starts the clock for p.
func (d *Decoder) begin(p *plane) {
	d.began, d.spent = d.opts.Now(), false
	d.until = d.began.Add(d.reserved(p, d.opts.Budget))
	if !d.opts.Stream {
		d.resume = 0
	}
}

// reserved is the budget for p, less what the step that is being taken may need when it ends.
func (d *Decoder) reserved(p *plane, budget time.Duration) time.Duration {
	if n := p.w * p.h; n > fullHD {
		budget = budget * time.Duration(n) / fullHD
	}
	return budget - budget/5
}

// prepared learns, where no budget is set, from how long p took to prepare, how slow this machine is
// at its best, and lengthens the default budget where that is not enough to read anything.
func (d *Decoder) prepared(p *plane) {
	d.preparing = d.opts.Now().Sub(d.began)
	n := p.w * p.h
	if !d.paced || n < leastPaced {
		return
	}
	took := d.preparing * preparedPixel / time.Duration(n)
	if d.pace == 0 || took < d.pace {
		d.pace = took
	}
	if budget := slowness * d.pace; budget > defaultBudget {
		if d.opts.Thorough {
			budget *= thoroughly
		}
		d.until = d.began.Add(d.reserved(p, budget))
	}
}

// lateFor: a search of that level cannot begin any more. Thresholds take up to half as long as preparing the plane did,
// smoothing it or turning it over as long again and more.
func (d *Decoder) lateFor(s *search) bool {
	takes := d.preparing >> (2*s.level + 1)
	if s.fine || s.down {
		takes *= 4
	}
	return d.late() || d.opts.Now().Add(takes).After(d.until)
}

// late: the budget is spent. Every loop whose turns add up to more than some tenths of a millisecond asks.
func (d *Decoder) late() bool {
	if !d.spent {
		d.spent = d.opts.Now().After(d.until)
	}
	return d.spent
}
