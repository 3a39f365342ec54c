package display

import (
	"image"
	"image/color"
	"image/draw"
	"strconv"
)

// stripView is what the strip shows of a status.
type stripView struct {
	camera, network, queue, keys, clock, sound, disk Level
	waiting, age                                     int
	days                                             bool // age is in days
}

func stripOf(s Status) stripView {
	v := stripView{
		camera: s.Camera, network: s.Network, queue: s.Queue, keys: s.Keys, clock: s.Clock, sound: s.Sound,
		disk: s.Disk, waiting: s.Waiting, age: hours(s.KeysAge),
	}
	if v.disk == OK { // need not be said while all is well
		v.disk = Hidden
	}
	if v.age >= 48 {
		v.days, v.age = true, v.age/24
	}
	return v
}

type stripItem struct {
	level Level
	text  string
	n     int
}

func (p *Painter) items(v stripView) [7]stripItem {
	w := &p.langs[0].words.Strip
	keys := w.KeysHours
	if v.days {
		keys = w.KeysDays
	}
	return [7]stripItem{
		{v.camera, w.Camera, 0}, {v.network, w.Network, 0}, {v.queue, w.Queue, v.waiting},
		{v.keys, keys, v.age}, {v.clock, w.Clock, 0}, {v.sound, w.Sound, 0}, {v.disk, w.Disk, 0},
	}
}

// stripRows is how many rows the strip needs at worst.
func (p *Painter) stripRows(width int) int {
	rows := 1
	x := p.frame.stripText
	for _, it := range p.items(stripView{OK, OK, OK, OK, OK, OK, Bad, 9999, 47, false}) {
		w := p.itemWidth(it)
		if x+w > width {
			rows, x = rows+1, p.frame.stripText
		}
		x += w
	}
	return rows
}

// itemWidth is an item's with its light and the space behind it.
func (p *Painter) itemWidth(it stripItem) int {
	size := p.frame.stripText
	return size*11/10 + p.faces[0].measure(size, p.fill(it.text, it.n)) + size*9/10
}

// lights draws the reader's own state: a shape and a word for each part.
func (p *Painter) lights(dst *image.RGBA, v stripView) {
	if p.frame.rows == 0 {
		return
	}
	in := p.frame.strip
	draw.Draw(dst, in, p.palette.strip.back, image.Point{}, draw.Src)
	size := p.frame.stripText
	light := size * 7 / 10
	x, row := in.Min.X+size, 0
	for _, it := range p.items(v) {
		if it.level == Hidden {
			continue
		}
		w := p.itemWidth(it)
		if x+w > in.Max.X && row+1 < p.frame.rows {
			row, x = row+1, in.Min.X+size
		}
		middle := in.Min.Y + size/10 + (2*row+1)*size*9/10
		p.light(dst, image.Rect(x, middle-light/2, x+light, middle-light/2+light), it.level)
		p.faces[0].draw(dst, image.Pt(x+size*11/10, middle+size/3), size, p.palette.strip.ink, p.fill(it.text, it.n))
		x += w
	}
}

// stampRow is the height of a small panel's line of trouble, pixels.
const stampRow = 15

// worst is what is least well: its item, and whether there is any.
func (p *Painter) worst(v stripView) (worst stripItem, any bool) {
	for _, it := range p.items(v) {
		if it.level > max(OK, worst.level) {
			worst, any = it, true
		}
	}
	return worst, any
}

// trouble is a small panel's lower edge, where something is not well.
func (p *Painter) trouble(dst *image.RGBA, v stripView, ink *image.Uniform) {
	it, any := p.worst(v)
	if !any {
		return
	}
	const size = 13
	y := dst.Rect.Max.Y - stampRow
	p.symbol(dst, image.Rect(2, y+2, 13, y+13), lightShape(it.level), false, ink)
	p.faces[0].draw(dst, image.Pt(17, y+12), size, ink, p.fill(it.text, it.n))
}

func lightShape(l Level) *symbol {
	if l == Bad {
		return failure
	}
	return warning
}

// fill puts n in the place of {n}, without allocating.
func (p *Painter) fill(text string, n int) []byte {
	p.buf = p.buf[:0]
	for i := 0; i < len(text); i++ {
		if text[i] == '{' && i+2 < len(text) && text[i:i+3] == "{n}" {
			p.buf = strconv.AppendInt(p.buf, int64(n), 10)
			i += 2
			continue
		}
		p.buf = append(p.buf, text[i])
	}
	return p.buf
}

// light draws a part's state: a disc is well, a triangle is a warning, a cross
// is a failure, so that colour alone never tells.
func (p *Painter) light(dst *image.RGBA, r image.Rectangle, l Level) {
	switch l {
	case OK:
		p.symbol(dst, r, well, true, green)
	case Warn:
		p.symbol(dst, r, warning, false, amber)
	case Bad:
		p.symbol(dst, r, failure, false, coral)
	}
}

var (
	green = image.NewUniform(color.RGBA{0x38, 0xC1, 0x72, 255})
	amber = image.NewUniform(color.RGBA{0xF4, 0xB7, 0x40, 255})
	coral = image.NewUniform(color.RGBA{0xFF, 0x8A, 0x6C, 255})

	well    = &symbol{}
	warning = &symbol{lines: [][]point{
		{{.5, .12}, {.92, .88}, {.08, .88}, {.5, .12}}, {{.5, .2}, {.5, .82}}, {{.4, .4}, {.26, .82}},
		{{.6, .4}, {.74, .82}}, {{.42, .6}, {.42, .82}}, {{.58, .6}, {.58, .82}}, {{.3, .8}, {.7, .8}},
	}}
	failure = &symbol{lines: [][]point{
		{{.14, .14}, {.86, .86}}, {{.86, .14}, {.14, .86}}, {{.18, .1}, {.9, .82}}, {{.1, .18}, {.82, .9}}, {{.9, .18}, {.18, .9}}, {{.82, .1}, {.1, .82}},
	}}
)
