package main

import (
	"bufio"
	"encoding/binary"
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
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func start(name, path string, args ...string) (*process, error) {
	cmd := exec.Command(path, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &process{name: name, cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// read shows g, whose rows must lie without gaps, to the reader. continues
// says that it is the next frame of the same stream.
func (p *process) read(g *image.Gray, continues bool) (answer, error) {
	head := make([]byte, 12)
	binary.LittleEndian.PutUint32(head, uint32(g.Rect.Dx()))
	binary.LittleEndian.PutUint32(head[4:], uint32(g.Rect.Dy()))
	if continues {
		head[8] = 1
	}
	for _, part := range [][]byte{head, g.Pix[:g.Rect.Dx()*g.Rect.Dy()]} {
		if _, err := p.in.Write(part); err != nil {
			return answer{}, fmt.Errorf("show %s a picture: %w", p.name, err)
		}
	}
	a, err := readAnswer(p.out)
	if err != nil {
		return answer{}, fmt.Errorf("hear %s: %w", p.name, err)
	}
	return a, nil
}

func (p *process) close() {
	p.in.Close()
	p.cmd.Wait() // its exit status says nothing that the answers have not said
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
