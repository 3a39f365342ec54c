package qr

// What the light alone tells, of frames in which neither a symbol nor a texture like one is seen.

const (
	// A screen that is white to the sensor's end covers this share of the picture at the least, …
	leastScreen = 0.025
	// … and its outline is simple.
	screenFill = 0.7
	// settling is for how many frames, about, white must be there to be part of the room: a window is no screen.
	settling = 300
)

// habit is what share of the picture has long been so: part of the room.
type habit float32

// rises says that share is more than usual by least.
func (h *habit) rises(share, least float32) bool {
	*h = min(habit(share), *h+(habit(share)-*h)/settling)
	return share-float32(*h) >= least
}

// overexposed looks for a screen in which nothing is seen for light.
func (d *Decoder) overexposed() (p patch, ok bool) {
	const level = 1
	if d.planes[level].pix == nil {
		return p, false
	}
	w, s := &d.patches, &d.marks[level].stats
	n := s.w * s.h
	w.like = grow(w.like, n)
	white := 0
	for i, lo := range s.lo {
		if w.like[i] = lo >= saturated; w.like[i] {
			white++
		}
	}
	share := float32(white) / float32(n)
	if !d.glow.rises(share, leastScreen) {
		return p, false
	}
	p = w.largest(s, level, true)
	return p, float32(p.blocks) > leastScreen*float32(n) && p.fill() > screenFill
}

const (
	// dimLevel is the level that a dim screen is looked for on: single pixels of it are mostly noise.
	dimLevel = 2
	// A pattern is so much rougher than noise.
	roughness = 1.17
	// least and most of a dim screen's contrast, blocks' differences within themselves.
	mostDim       = 24
	leastDim      = 16 // blocks
	dimFill       = 0.58
	leastDimShare = 0.015 // of the picture
	// Noise of which a block has more hides it.
	mostNoise = 800
)

// dim looks for a symbol whose contrast is no more than a few gray levels: blocks of the picture that are rougher
// all over than noise makes them, but which differ by little within themselves.
func (d *Decoder) dim() (t patch, ok bool) {
	p := &d.planes[dimLevel]
	if p.pix == nil {
		return t, false
	}
	w, s := &d.patches, &d.marks[dimLevel].stats
	n := s.w * s.h
	w.like, w.energy = grow(w.like, n), grow(w.energy, n)
	for i := range w.energy {
		x0, y0 := min(i%s.w*8, p.w-9), min(i/s.w*8, p.h-9)
		sum := 0
		for y := y0; y < y0+8; y++ {
			row, below := p.pix[y*p.stride+x0:][:9], p.pix[(y+1)*p.stride+x0:][:9]
			for x, l := range below[:8] {
				c := int(row[x]) - int(row[x+1]) - int(l) + int(below[x+1]) // no gradient and no straight edge along the picture's
				sum += c * c
			}
		}
		w.energy[i] = int32(sum)
	}
	floor, light := w.quiet(), uint64(0)
	if floor > mostNoise {
		return t, false
	}
	for _, sum := range s.sum {
		light += uint64(sum)
	}
	least, rough := 9*(roughness*float32(floor)+4), 0
	for y := range s.h {
		for x := range s.w {
			i := y*s.w + x
			// What is bright is rough by its photons alone.
			w.like[i] = x > 0 && y > 0 && x < s.w-1 && y < s.h-1 && s.hi[i]-s.lo[i] < mostDim && uint64(s.sum[i])*uint64(n) < light
			if !w.like[i] {
				continue
			}
			sum := int32(0)
			for k := i - s.w; k <= i+s.w; k += s.w {
				sum += w.energy[k-1] + w.energy[k] + w.energy[k+1]
			}
			if w.like[i] = float32(sum) > least; w.like[i] {
				rough++
			}
		}
	}
	if !d.murk.rises(float32(rough)/float32(n), leastDimShare) {
		return t, false
	}
	t = w.largest(s, dimLevel, true)
	return t, t.blocks >= leastDim && t.fill() > dimFill
}

// quiet is the energy that half of the blocks stay below: noise, where most of the picture is a room.
func (w *patches) quiet() int32 {
	var count [512]int
	for _, e := range w.energy {
		count[min(511, e>>2)]++
	}
	for i, sum := 0, 0; i < len(count); i++ {
		if sum += count[i]; sum*2 >= len(w.energy) {
			return int32(i+1) << 2
		}
	}
	return 1 << 11
}
