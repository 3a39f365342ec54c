package qr

// leastHiding is how well two finder patterns must be seen for the third to be taken to be where they say, though nothing of
// it can be seen: it is wholly under a reflection or a finger.
const leastHiding = 0.75

// between looks for the corner's finder pattern where sides of a and b meet, beyond which lies none.
func (d *Decoder) between(a, b *finder) (found bool) {
	o := *b
	for range 3 { // named by the same sides as a's
		if a.ux*o.ux+a.uy*o.uy > max(a.vx*o.ux+a.vy*o.uy, -a.vx*o.ux-a.vy*o.uy) {
			break
		}
		o.ux, o.uy, o.vx, o.vy = o.vx, o.vy, -o.ux, -o.uy
	}
	b = &o
	var meet [2]finder
	for i := range meet {
		ax, ay, bx, by := a.ux, a.uy, b.vx, b.vy
		if i == 1 {
			ax, ay, bx, by = a.vx, a.vy, b.ux, b.uy
		}
		det := ax*by - ay*bx
		if det == 0 {
			return false
		}
		t := ((b.x-a.x)*by - (b.y-a.y)*bx) / det
		f := *a
		f.x, f.y = a.x+t*ax, a.y+t*ay
		f.ux, f.uy, f.vx, f.vy = (a.ux+b.ux)/2, (a.uy+b.uy)/2, (a.vx+b.vx)/2, (a.vy+b.vy)/2
		f.size = (a.size + b.size) / 2
		meet[i] = f
		v := d.view(f.size / 7)
		s := seek(v.plane, f.shape.moved(0, 0, v.scale), 5, f.inverted)
		if s.score > leastFinder && d.addFinder(newFinder(v.plane, &s, v.level, f.inverted)) {
			found = true
		}
		if d.late() {
			return found
		}
	}
	if found || min(a.score, b.score) < leastHiding {
		return found
	}
	for i := range meet {
		d.hidden(&meet[i])
	}
	return true
}

// hidden takes f to be there though nothing of it can be seen.
func (d *Decoder) hidden(f *finder) {
	p := &d.planes[0]
	if f.x > 0 && f.y > 0 && f.x < float32(p.w) && f.y < float32(p.h) && len(d.finders) < cap(d.finders) {
		c := *f
		c.score, c.quality, c.bound, c.fresh = leastFinder/2, leastFinder/2, true, true
		d.finders = append(d.finders, c)
	}
}

// imagine puts a third finder pattern beside a, and one beside b, on the side of the line between them that is patterned: the
// timing patterns will tell which of them is the corner, and alignment patterns how far off it is.
func (d *Decoder) imagine(a, b *finder, modules float32) {
	side := float32(1)
	if d.bustle(a, b, -1) > d.bustle(a, b, 1) {
		side = -1
	}
	x, y := b.x-a.x, b.y-a.y
	for _, f := range [2]*finder{a, b} {
		px, py := f.across(x, y)
		if (x*py-y*px)*side < 0 {
			px, py = -px, -py
		}
		c := *f
		c.x, c.y = f.x+px*modules, f.y+py*modules
		d.hidden(&c)
	}
}

// across is the side of f that does not lie along (x, y): the way of one module.
func (f *finder) across(x, y float32) (px, py float32) {
	det := f.ux*f.vy - f.uy*f.vx
	p, q := (x*f.vy-y*f.vx)/det, (y*f.ux-x*f.uy)/det
	if max(q, -q) > max(p, -p) {
		return f.ux, f.uy
	}
	return f.vx, f.vy
}

// bustle is how much blocks differ within themselves along a line beside that from a to b, eight modules to the side given.
func (d *Decoder) bustle(a, b *finder, side float32) (sum int) {
	m := &d.marks[0]
	x, y := b.x-a.x, b.y-a.y
	k := side * 8 * a.size / 7 / sqrt32(x*x+y*y)
	for t := float32(0.25); t < 0.8; t += 0.05 {
		bx, by := int(a.x+t*x-k*y)/8, int(a.y+t*y+k*x)/8
		if bx >= 0 && by >= 0 && bx < m.w && by < m.h {
			sum += int(m.hi[by*m.w+bx] - m.lo[by*m.w+bx])
		}
	}
	return sum
}
