package qr

// Arithmetic in GF(256) with the polynomial x⁸+x⁴+x³+x²+1 (ISO/IEC 18004, 7.5.2).
var gfExp, gfLog = func() (exp [512]uint8, log [256]uint8) {
	x := 1
	for i := range 255 {
		exp[i], exp[i+255] = uint8(x), uint8(x)
		log[x] = uint8(i)
		if x <<= 1; x > 255 {
			x ^= 0x11d
		}
	}
	return exp, log
}()

func gfMul(a, b uint8) uint8 {
	if a == 0 || b == 0 {
		return 0
	}
	return gfExp[int(gfLog[a])+int(gfLog[b])]
}

func gfInv(a uint8) uint8 { return gfExp[255-int(gfLog[a])] }

// maxCheck is the most check codewords a block can have.
const maxCheck = 30

// correct repairs a block of data and check codewords in place: t wrong ones
// and e of the places named erased, as long as 2t + e ≤ check. It gives how many
// codewords at places not named were wrong, and false when the block is beyond repair (it is
// then unchanged).
//
// Syndromes, Berlekamp–Massey started from the erasures' polynomial, Chien
// search, Forney: R. E. Blahut, "Algebraic Codes for Data Transmission", 7.
func correct(block []uint8, check int, erased []uint8) (wrong int, ok bool) {
	var syndrome [maxCheck]uint8
	bad := uint8(0)
	for i := range check {
		s := uint8(0)
		for _, c := range block {
			if s != 0 {
				s = gfExp[int(gfLog[s])+i]
			}
			s ^= c
		}
		syndrome[i] = s
		bad |= s
	}
	if bad == 0 {
		return 0, true
	}
	if len(erased) > check {
		return 0, false
	}
	n := len(block)
	// lambda starts as ∏(1 − Xₖ·x) over the erased places.
	var lambda, before [maxCheck + 1]uint8
	lambda[0] = 1
	for k, place := range erased {
		x := gfExp[n-1-int(place)]
		for i := k + 1; i > 0; i-- {
			lambda[i] ^= gfMul(lambda[i-1], x)
		}
	}
	before = lambda
	e := len(erased)
	length := e
	for r := e + 1; r <= check; r++ {
		delta := uint8(0)
		for i := 0; i <= min(length, r-1); i++ {
			delta ^= gfMul(lambda[i], syndrome[r-1-i])
		}
		// before ← x·before
		copy(before[1:], before[:maxCheck])
		before[0] = 0
		if delta == 0 {
			continue
		}
		next := lambda
		for i := range next {
			next[i] ^= gfMul(delta, before[i])
		}
		if 2*length <= r-1+e {
			inv := gfInv(delta)
			for i := range before {
				before[i] = gfMul(lambda[i], inv)
			}
			length = r + e - length
		}
		lambda = next
	}
	degree := maxCheck
	for degree > 0 && lambda[degree] == 0 {
		degree--
	}
	if degree != length || 2*(length-e)+e > check {
		return 0, false
	}
	// omega = syndrome·lambda mod x^check
	var omega [maxCheck]uint8
	for i := range check {
		for k := 0; k <= min(i, degree); k++ {
			omega[i] ^= gfMul(lambda[k], syndrome[i-k])
		}
	}
	var places [maxCheck]int
	var values [maxCheck]uint8
	found := 0
	for p := range n {
		inv := (255 - (n - 1 - p)) % 255 // log of X⁻¹ at place p
		sum := uint8(0)
		for i := 0; i <= degree; i++ {
			if lambda[i] != 0 {
				sum ^= gfExp[(int(gfLog[lambda[i]])+i*inv)%255]
			}
		}
		if sum != 0 {
			continue
		}
		if found == degree {
			return 0, false
		}
		num, den := uint8(0), uint8(0)
		for i := range check {
			if omega[i] != 0 {
				num ^= gfExp[(int(gfLog[omega[i]])+i*inv)%255]
			}
		}
		for i := 1; i <= degree; i += 2 { // the formal derivative keeps odd powers only
			if lambda[i] != 0 {
				den ^= gfExp[(int(gfLog[lambda[i]])+(i-1)*inv)%255]
			}
		}
		if den == 0 {
			return 0, false
		}
		// The first root is α⁰, so that a factor X remains.
		values[found] = gfMul(gfMul(num, gfInv(den)), gfExp[n-1-p])
		places[found] = p
		found++
	}
	if found != degree {
		return 0, false
	}
	for i := range found {
		block[places[i]] ^= values[i]
		if values[i] != 0 {
			wrong++
			for _, p := range erased {
				if int(p) == places[i] {
					wrong--
					break
				}
			}
		}
	}
	return wrong, true
}
