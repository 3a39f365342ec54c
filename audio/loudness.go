package audio

import "math"

// Loudness is what every prompt is brought to, as it is heard from both channels:
// LUFS, integrated over the prompt. A mono file that measures −16 LUFS has it.
const Loudness = -13.0

// maxPeak is how far a prompt's true peak may rise: dBTP. Loudspeaker and
// resampler get that much room.
const maxPeak = -1.0

// loudness measures a clip as EBU R 128 does, by ITU-R BS.1770-4: the
// integrated loudness in LUFS (−Inf for silence) and the true peak in dBTP. 400 ms
// of silence count as following, as they do, so that the end of a short prompt has
// its whole weight, and one shorter than a gating block has a loudness. Mono counts
// twice, since it is played on both channels.
func loudness(c *clip) (lufs, peak float64) {
	frames := c.len()
	block := int(c.rate) * 2 / 5 // 400 ms
	hop := block / 4             // 75 % overlap
	channels := [2]kWeighting{newKWeighting(float64(c.rate)), newKWeighting(float64(c.rate))}
	var peaks [2]truePeak
	hops := make([]float64, 0, frames/hop+4) // energy of each quarter of a block
	sum, high := 0.0, 0.0
	total := frames + block
	for i := range total {
		for ch := range 2 {
			v := 0.0
			if i < frames {
				at := (i*c.channels + min(ch, c.channels-1)) * c.width
				v = c.sample(at)
			}
			if ch < c.channels {
				high = max(high, peaks[ch].next(v))
				w := channels[ch].next(v)
				sum += w * w
			}
		}
		if (i+1)%hop == 0 {
			hops = append(hops, sum)
			sum = 0
		}
	}
	for range len(peakPhases[0]) { // what is still in the filter
		for ch := range c.channels {
			high = max(high, peaks[ch].next(0))
		}
	}
	var power []float64 // of each block, per channel summed
	for i := 0; i+4 <= len(hops); i++ {
		power = append(power, (hops[i]+hops[i+1]+hops[i+2]+hops[i+3])/float64(4*hop))
	}
	lufs = gated(power)
	if c.channels == 1 {
		lufs += 10 * math.Log10(2)
	}
	return lufs, 20 * math.Log10(high)
}

// gated is the mean loudness of the blocks above −70 LUFS and above 10 LU below
// the mean of those (BS.1770-4, annex 1, eqs. 4 to 7).
func gated(power []float64) float64 {
	above := func(gate float64) float64 {
		sum, n := 0.0, 0
		for _, p := range power {
			if lufsOf(p) > gate {
				sum += p
				n++
			}
		}
		if n == 0 {
			return math.Inf(-1)
		}
		return lufsOf(sum / float64(n))
	}
	absolute := above(-70)
	if math.IsInf(absolute, -1) {
		return absolute
	}
	return above(absolute - 10)
}

func lufsOf(power float64) float64 { return -0.691 + 10*math.Log10(power) }

// kWeighting is the ear's filter: a shelf for the head, then a high pass.
type kWeighting struct{ head, low biquad }

// newKWeighting makes the filter for a sample rate. BS.1770-4 tabulates it for
// 48 kHz; these are the analogue frequencies and qualities behind that table.
func newKWeighting(rate float64) kWeighting {
	const (
		headHz, headDB, headQ = 1681.974450955533, 3.999843853973347, 0.7071752369554196
		lowHz, lowQ           = 38.13547087602444, 0.5003270373238773
	)
	k := math.Tan(math.Pi * headHz / rate)
	vh := math.Pow(10, headDB/20)
	vb := math.Pow(vh, 0.4996667741545416)
	a0 := 1 + k/headQ + k*k
	head := biquad{
		b0: (vh + vb*k/headQ + k*k) / a0, b1: 2 * (k*k - vh) / a0, b2: (vh - vb*k/headQ + k*k) / a0,
		a1: 2 * (k*k - 1) / a0, a2: (1 - k/headQ + k*k) / a0,
	}
	k = math.Tan(math.Pi * lowHz / rate)
	a0 = 1 + k/lowQ + k*k
	low := biquad{b0: 1, b1: -2, b2: 1, a1: 2 * (k*k - 1) / a0, a2: (1 - k/lowQ + k*k) / a0}
	return kWeighting{head, low}
}

func (k *kWeighting) next(v float64) float64 { return k.low.next(k.head.next(v)) }

// biquad is a filter of second order in direct form II, transposed.
type biquad struct{ b0, b1, b2, a1, a2, z1, z2 float64 }

func (f *biquad) next(v float64) float64 {
	out := f.b0*v + f.z1
	f.z1 = f.b1*v - f.a1*out + f.z2
	f.z2 = f.b2*v - f.a2*out
	return out
}

// truePeak finds peaks between the samples, at four times the rate (BS.1770-4,
// annex 2).
type truePeak struct {
	last [24]float64 // the last twelve, twice in a row, so that they are always in one piece
	at   int
}

// peakPhases is the interpolator of annex 2, one row a phase.
var peakPhases = [4][12]float64{
	{0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625, 0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500},
	{-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250, 0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375},
	{-0.0189208984375, 0.0330810546875, -0.0582275390625, 0.1015625000000, -0.2003173828125, 0.7797851562500, 0.4650878906250, -0.1665039062500, 0.0891113281250, -0.0517578125000, 0.0292968750000, -0.0291748046875},
	{-0.0083007812500, 0.0148925781250, -0.0266113281250, 0.0476074218750, -0.1022949218750, 0.9721679687500, 0.1373291015625, -0.0594482421875, 0.0332031250000, -0.0196533203125, 0.0109863281250, 0.0017089843750},
}

// next takes a sample and returns the highest of the four around it.
func (p *truePeak) next(v float64) (high float64) {
	// The newest first; the table's order.
	if p.at--; p.at < 0 {
		p.at = 11
	}
	p.last[p.at], p.last[p.at+12] = v, v
	newest := (*[12]float64)(p.last[p.at:])
	for i := range peakPhases {
		sum := 0.0
		for j, c := range peakPhases[i] {
			sum += c * newest[j]
		}
		high = max(high, math.Abs(sum))
	}
	return high
}

// equalise gives a clip the gain that brings it to Loudness, or as near as its
// true peak lets it come. It returns how many LU are missing then.
func equalise(c *clip) (missing float64) {
	lufs, peak := loudness(c)
	if math.IsInf(lufs, -1) {
		return 0 // silence, which some owner wants
	}
	want, room := Loudness-lufs, maxPeak-peak
	c.gain = math.Pow(10, min(want, room)/20)
	return max(0, want-room)
}
