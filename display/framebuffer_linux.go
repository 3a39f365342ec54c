package display

import (
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/fb.h.
const (
	fbioGetVScreenInfo = 0x4600
	fbioGetFScreenInfo = 0x4602
)

// varScreenInfo is struct fb_var_screeninfo.
type varScreenInfo struct {
	xres, yres, xresVirtual, yresVirtual, xoffset, yoffset uint32
	bitsPerPixel, grayscale                                uint32
	red, green, blue, transp                               struct{ offset, length, msbRight uint32 }
	nonstd, activate                                       uint32
	height, width                                          uint32 // mm; the kernel's DRM drivers take them from the screen's EDID
	_                                                      [16]uint32
}

// fixScreenInfo is struct fb_fix_screeninfo.
type fixScreenInfo struct {
	id           [16]byte
	smemStart    uintptr
	smemLen      uint32
	kind         uint32
	typeAux      uint32
	visual       uint32
	xpanstep     uint16
	ypanstep     uint16
	ywrapstep    uint16
	lineLength   uint32
	mmioStart    uintptr
	mmioLen      uint32
	accel        uint32
	capabilities uint16
	_            [2]uint16
}

type framebuffer struct {
	file *os.File
	mem  []byte
	mode varScreenInfo
	surface
}

// Framebuffer returns an opener for a kernel framebuffer such as /dev/fb0,
// with the picture turned clockwise by rotate degrees (0, 90, 180, 270).
func Framebuffer(path string, rotate int) Opener {
	return func() (Panel, error) {
		p, err := openFramebuffer(path, rotate)
		if err != nil {
			return nil, fmt.Errorf("display panel fb:%s: %w", path, err)
		}
		return p, nil
	}
}

func openFramebuffer(path string, rotate int) (p *framebuffer, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	var v varScreenInfo
	var fix fixScreenInfo
	if err := ioctl(f, fbioGetVScreenInfo, unsafe.Pointer(&v)); err != nil {
		return nil, fmt.Errorf("not a framebuffer: %w", err)
	}
	if err := ioctl(f, fbioGetFScreenInfo, unsafe.Pointer(&fix)); err != nil {
		return nil, fmt.Errorf("not a framebuffer: %w", err)
	}
	field := func(b struct{ offset, length, msbRight uint32 }) bitfield { return bitfield{b.offset, b.length} }
	format, err := formatOf(v.bitsPerPixel, field(v.red), field(v.green), field(v.blue))
	if err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(fix.smemLen), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("its memory cannot be mapped: %w", err)
	}
	p = &framebuffer{file: f, mem: mem, mode: v}
	// The visible part of a larger virtual screen.
	visible := int(v.yoffset)*int(fix.lineLength) + int(v.xoffset)*format.bytes()
	p.surface = surface{
		mem: mem[min(visible, len(mem)):], width: int(v.xres), height: int(v.yres),
		stride: int(fix.lineLength), format: format, rotate: rotate,
	}
	if err := p.check(); err != nil {
		unix.Munmap(mem)
		return nil, err
	}
	return p, nil
}

func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

func (p *framebuffer) Show(img *image.RGBA, changed []image.Rectangle) error {
	if err := p.Check(); err != nil {
		return err
	}
	return faulting(func() {
		for _, r := range changed {
			p.copy(img, r)
		}
	})
}

// faulting calls copy, which writes to a screen's memory: one that is pulled out
// between the check and here takes its memory along. Nothing else that goes wrong
// there is the screen's.
func faulting(copy func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		what := recover()
		if _, fault := what.(interface{ Addr() uintptr }); fault { // see SetPanicOnFault
			err = ErrChanged
		} else if what != nil {
			panic(what)
		}
	}()
	copy()
	return nil
}

// Check tells whether the screen is the one that was opened, in its mode.
func (p *framebuffer) Check() error {
	var v varScreenInfo
	if err := ioctl(p.file, fbioGetVScreenInfo, unsafe.Pointer(&v)); err != nil {
		return fmt.Errorf("display panel %s: the screen is gone: %w", p, err)
	}
	was := p.mode
	was.activate, v.activate = 0, 0
	if v != was {
		return ErrChanged
	}
	opened, err := p.file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(p.file.Name())
	if err != nil {
		return fmt.Errorf("display panel %s: the screen is gone: %w", p, err)
	}
	if !os.SameFile(opened, there) {
		return ErrChanged
	}
	return nil
}

// Diagonal implements Measured. A size that no screen has is none.
func (p *framebuffer) Diagonal() float64 {
	const least, most = 20, 3000 // mm
	w, h := p.mode.width, p.mode.height
	if w < least || h < least || w > most || h > most {
		return 0
	}
	return math.Hypot(float64(w), float64(h)) / 25.4
}

// Forgetful implements the interface of that name. The kernel notes by pages what
// was written to many a screen and sends it on later; under QEMU's virtio-gpu one
// page, a line of the picture, was seen to stay as it had been. And the kernel
// may print its own messages over ours.
func (p *framebuffer) Forgetful() {}

func (p *framebuffer) Size() image.Point { return p.size() }
func (p *framebuffer) String() string    { return "fb:" + p.file.Name() }

func (p *framebuffer) Close() error {
	return errors.Join(unix.Munmap(p.mem), p.file.Close())
}
