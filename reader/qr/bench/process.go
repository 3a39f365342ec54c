package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"time"
)

// symbol is what a reader says one code holds.
type symbol struct {
	text  string
	bytes []byte
}

// answer is what a reader says of one picture.
type answer struct {
	symbols []symbol
	cpu     time.Duration // of the whole process during the decode call
	allocs  uint64        // during the same; 0 where they are not counted
}

// process is a reader in a process of its own; peers/frame.h has the talk with it.
type process struct {
	name, path string
	args       []string
	cmd        *exec.Cmd
	in         io.WriteCloser
	out        *os.File
	begun      bool // has answered once
	overtime   int  // pictures that took longer than patience
}

// patience with one picture. Some readers try every three of the finder
// patterns they see, which ends after days when they see thousands.
const patience = 5 * time.Second

func start(name, path string, args ...string) (*process, error) {
	p := &process{name: name, path: path, args: args}
	return p, p.start()
}

func (p *process) start() error {
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	p.cmd.Stdout = theirs
	err = p.cmd.Start()
	theirs.Close()
	if err != nil {
		out.Close()
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.in, p.out = in, out
	return nil
}

// place of a picture among those before it.
type place uint32

const (
	alone place = iota
	first       // of a stream
	next
)

// read shows g, whose rows must lie without gaps, to the reader. One that
// takes longer than [patience] has read nothing and is started anew.
func (p *process) read(g *image.Gray, at place) (answer, error) {
	head := make([]byte, 12)
	binary.LittleEndian.PutUint32(head, uint32(g.Rect.Dx()))
	binary.LittleEndian.PutUint32(head[4:], uint32(g.Rect.Dy()))
	binary.LittleEndian.PutUint32(head[8:], uint32(at))
	for _, part := range [][]byte{head, g.Pix[:g.Rect.Dx()*g.Rect.Dy()]} {
		if _, err := p.in.Write(part); err != nil {
			return answer{}, fmt.Errorf("show %s a picture: %w", p.name, err)
		}
	}
	limit := patience
	if !p.begun { // it may still be compiling
		limit *= 10
	}
	if err := p.out.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return answer{}, err
	}
	a, err := readAnswer(p.out)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.overtime++
		p.stop()
		return answer{cpu: patience}, p.start()
	}
	if err != nil {
		return answer{}, fmt.Errorf("hear %s: %w", p.name, err)
	}
	p.begun = true
	return a, nil
}

// stop ends the reader, whatever it is at.
func (p *process) stop() {
	p.in.Close()
	p.cmd.Process.Kill()
	p.cmd.Wait() // it has been killed: its exit status says nothing
	p.out.Close()
}

const maxBlob = 1 << 16 // no QR symbol holds as much

func readAnswer(r io.Reader) (answer, error) {
	head := make([]byte, 20)
	if _, err := io.ReadFull(r, head); err != nil {
		return answer{}, err
	}
	a := answer{
		cpu:    time.Duration(binary.LittleEndian.Uint64(head)),
		allocs: binary.LittleEndian.Uint64(head[8:]),
	}
	n := binary.LittleEndian.Uint32(head[16:])
	if n > 1000 {
		return answer{}, fmt.Errorf("%d symbols in one picture", n)
	}
	for range n {
		text, err := readBlob(r)
		if err != nil {
			return answer{}, err
		}
		bytes, err := readBlob(r)
		if err != nil {
			return answer{}, err
		}
		a.symbols = append(a.symbols, symbol{string(text), bytes})
	}
	return a, nil
}

func readBlob(r io.Reader) ([]byte, error) {
	var n uint32
	if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
		return nil, err
	}
	if n > maxBlob {
		return nil, fmt.Errorf("a text of %d bytes", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeAnswer(w io.Writer, a answer) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(a.cpu))
	b = binary.LittleEndian.AppendUint64(b, a.allocs)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(a.symbols)))
	for _, s := range a.symbols {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s.text)))
		b = append(b, s.text...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s.bytes)))
		b = append(b, s.bytes...)
	}
	_, err := w.Write(b)
	return err
}
