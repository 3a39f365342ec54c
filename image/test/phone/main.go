//go:build linux && arm64

// Command phone stands in for a visitor inside the emulated device: it plays
// pictures into a v4l2loopback node, an empty room and, again and again, a phone
// with a fresh code.
//
//	phone -key FILE [-node /dev/video20] [-every 20s]
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"fmt"
	"image"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/munjigi/munjigi/configs"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/reader/camera/virtual"
)

// width and height of the pictures; an emulated processor is slow.
const width, height = 640, 480

// pixFormat is struct v4l2_format with its v4l2_pix_format
// (include/uapi/linux/videodev2.h): 208 bytes on a 64-bit kernel.
type pixFormat struct {
	kind, _                                                   uint32
	width, height, pixel, field, line, size, colorspace, priv uint32
	flags, encoding, quantization, transfer                   uint32
	_                                                         [152]byte
}

func main() {
	node := flag.String("node", "/dev/video20", "the camera's writing end")
	key := flag.String("key", "", "the issuer's private key")
	every := flag.Duration("every", 20*time.Second, "from one visitor to the next")
	flag.Parse()
	if err := run(*node, *key, *every); err != nil {
		fmt.Fprintln(os.Stderr, "phone:", err)
		os.Exit(1)
	}
}

func run(node, keyFile string, every time.Duration) error {
	key, err := configs.ReadKey(keyFile)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open the camera's writing end: %w", err)
	}
	defer f.Close()
	format := pixFormat{kind: 2, width: width, height: height, field: 1, colorspace: 8, pixel: 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24, line: 2 * width, size: 2 * width * height}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), 0xC0D05605 /* VIDIOC_S_FMT */, uintptr(unsafe.Pointer(&format))); errno != 0 {
		return fmt.Errorf("set the format of %s: %w", node, errno)
	}
	size := image.Pt(width, height)
	scene := virtual.NewScene(1, size, virtual.Look{})
	picture := new(image.Gray)
	scene.Render(picture, nil, virtual.Pose{}, 0)
	room := yuyv(picture)
	for {
		text := mint(key)
		code, err := symbol.Encode(text)
		if err != nil {
			return fmt.Errorf("draw the code: %w", err)
		}
		scene.Render(picture, scene.NewScreen(code), virtual.Pose{X: width / 2, Y: height / 2, Scale: 6.6}, 1)
		for _, p := range []struct {
			picture []byte
			long    time.Duration
		}{{yuyv(picture), 10 * time.Second}, {room, every - 10*time.Second}} {
			for end := time.Now().Add(p.long); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
				if _, err := f.Write(p.picture); err != nil {
					return fmt.Errorf("play a picture: %w", err)
				}
			}
		}
	}
}

func mint(key ed25519.PrivateKey) string {
	var id pass.ID
	rand.Read(id[:]) // never fails
	text, err := pass.Issue(key, "kko", id, time.Now(), nil)
	if err != nil {
		panic(err) // the key was read
	}
	return text
}

func yuyv(g *image.Gray) []byte {
	out := make([]byte, 2*len(g.Pix))
	for i, y := range g.Pix {
		out[2*i], out[2*i+1] = y, 128
	}
	return out
}
