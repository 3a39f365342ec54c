// Package qr reads QR codes (ISO/IEC 18004, Model 2) out of luma pictures:
// upright, turned or tilted, dark on light or light on dark, and mirrored.
//
// Use [New] once and [Decoder.Decode] for each picture; set Options.Stream for
// the frames of a camera. [Decoder.Finding] says what is wrong with a picture
// in which nothing could be read, [Explain] draws what each step sees. The package promises
// that no picture, whatever its content, makes it panic, that Decode ends within its budget,
// that it takes no memory once it has seen pictures of a size, and that a
// picture without a code costs time but is not an error.
//
// The way through it, one file a step:
//
//	plane, smooth    a pyramid of half-size pictures; noise taken out
//	threshold        which pixels are dark, block by block
//	scan             rows, or columns, that cross something like a finder pattern: hits
//	finder, shape    hits looked at from all sides; correlation with the pattern, bent to fit
//	triple, complete which three belong together; a third looked for where two say it is
//	hidden           a third taken to be where two say it is, though nothing of it can be seen
//	locate           the dimension and a first homography, by pitches and timing patterns
//	refine, grid     the homography on gray levels, by finder, alignment and timing patterns
//	sample, equalise gray levels of modules, sharpened, or told apart by how they run into one another
//	format, layout   level, mask and version; where each codeword's modules lie
//	codewords, rs    codewords, the least sure of them erased; Reed–Solomon
//	content, text    segments, bytes, text
//	look, attempt    the order of all this
//	budget, reserve  what it may cost, in time and memory
//	track, fuse      frame after frame: where it was before, what has been seen of it so far
//	align            a frame laid exactly on what has been seen so far
//	finding, explain for people
//
// Gray levels are kept to the end: what a threshold throws away is missing
// where it matters, on small, blurred and dim codes. A text is given only when Reed–Solomon finds no
// contradiction, and, where doubtful codewords had to be erased for that, when
// nine of ten others were right as they stood.
package qr
