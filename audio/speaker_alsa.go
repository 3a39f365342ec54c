//go:build cgo && linux

package audio

/*
#cgo pkg-config: alsa
#include <errno.h>
#include <alsa/asoundlib.h>

static void hush(const char *file, int line, const char *func, int err, const char *fmt, ...) {}

// speaker_open opens the default device for stereo, 16 bits; 0 or a negative error.
static int speaker_open(snd_pcm_t **pcm, unsigned rate, unsigned buffer_us) {
	snd_lib_error_set_handler(hush); // it would print six lines at each try
	int err = snd_pcm_open(pcm, "default", SND_PCM_STREAM_PLAYBACK, SND_PCM_NONBLOCK);
	if (err < 0) return err;
	err = snd_pcm_set_params(*pcm, SND_PCM_FORMAT_S16_LE, SND_PCM_ACCESS_RW_INTERLEAVED, 2, rate, 1, buffer_us);
	if (err < 0) snd_pcm_close(*pcm);
	return err;
}

// speaker_queued is how many frames wait to be heard; 0 for a device that does
// not play: silence must fill it until it does.
static long speaker_queued(snd_pcm_t *pcm) {
	snd_pcm_uframes_t buffer, period;
	if (snd_pcm_state(pcm) != SND_PCM_STATE_RUNNING || snd_pcm_get_params(pcm, &buffer, &period) < 0) return 0;
	long room = snd_pcm_avail(pcm);
	return room < 0 || room > (long)buffer ? 0 : (long)buffer - room;
}

// speaker_write takes all frames; 0 or a negative error, at the latest when the
// device took nothing for wait_ms. Each time it had run dry counts in *torn.
static int speaker_write(snd_pcm_t *pcm, const short *samples, long frames, int wait_ms, long *torn) {
	for (int tries = 0; frames > 0; ) {
		long n = snd_pcm_writei(pcm, samples, frames);
		if (n > 0) {
			samples += 2 * n;
			frames -= n;
			tries = 0;
			continue;
		}
		if (n == 0 || n == -EAGAIN) {
			n = snd_pcm_wait(pcm, wait_ms);
			if (n == 0) return -ETIMEDOUT;
			if (n > 0) continue;
		}
		if (n == -EPIPE) ++*torn;
		if (++tries > 8) return n;
		n = snd_pcm_recover(pcm, n, 1);
		if (n < 0) return n;
	}
	return 0;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/faiface/beep"
	"golang.org/x/sys/unix"
)

// The loudspeaker is driven through libasound itself. beep/speaker v1.1.0 hides
// write errors and mixes a whole buffer ahead; oto v0.7.1 below it hands 64
// frames at a time from goroutine to goroutine, writes halves of the buffer, and
// hangs for good after an unplug.

const (
	// speakerRate is what every sound card plays; libasound resamples for others.
	speakerRate beep.SampleRate = 48000
	// speakerNice is what sound needs on a slow core where pictures are decoded:
	// not much, but at once. The unit allows it (LimitNICE).
	speakerNice = -11
)

type speaker struct{}

func newSpeaker() output { return speaker{} }

// open implements output.
func (speaker) open() (device, error) {
	d := new(speakerDevice)
	if e := C.speaker_open(&d.pcm, C.uint(speakerRate), C.uint(Buffer.Microseconds())); e < 0 {
		return nil, fmt.Errorf(`no loudspeaker (%w): plug one in, or name the card in /etc/asound.conf, or set sound.output = "off"`, alsaError(e))
	}
	return d, nil
}

func alsaError(e C.int) error { return errors.New(C.GoString(C.snd_strerror(e))) }

type speakerDevice struct {
	buf  []byte
	torn atomic.Int64
	left atomic.Bool // closed while a write hung, which closes at its end

	mu  sync.Mutex // held while libasound works
	pcm *C.snd_pcm_t
}

func (d *speakerDevice) name() string          { return "ALSA default" }
func (d *speakerDevice) rate() beep.SampleRate { return speakerRate }
func (d *speakerDevice) paced() bool           { return true }
func (d *speakerDevice) tail() time.Duration   { return Buffer }
func (d *speakerDevice) tears() int            { return int(d.torn.Load()) }

func (d *speakerDevice) queued() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pcm == nil {
		return 0
	}
	return speakerRate.D(int(C.speaker_queued(d.pcm)))
}

// hurry gives the calling goroutine a thread of its own, before the others. It is
// never unlocked, so that the thread ends with the goroutine.
func (d *speakerDevice) hurry() error {
	runtime.LockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, speakerNice); err != nil { // 0: this thread
		return fmt.Errorf("sound may not go first (%w): allow it with LimitNICE=%d, or prompts may tear on a single slow core", err, speakerNice)
	}
	return nil
}

func (d *speakerDevice) write(frames [][2]float64) error {
	if len(frames) == 0 {
		return nil
	}
	d.buf = int16LE(d.buf, frames)
	var torn C.long
	d.mu.Lock()
	e := C.int(-C.ENODEV)
	if d.pcm != nil {
		e = C.speaker_write(d.pcm, (*C.short)(unsafe.Pointer(&d.buf[0])), C.long(len(frames)), C.int(stallAfter.Milliseconds()), &torn)
	}
	d.mu.Unlock()
	d.torn.Add(int64(torn))
	if d.left.Load() {
		_ = d.close()
	}
	if e < 0 {
		return fmt.Errorf("the loudspeaker failed (%w): check its plug; it is tried again every %v", alsaError(e), retryEvery)
	}
	return nil
}

// close implements device. Where a write hangs in the driver, the card is left to
// it: the write closes it, should it ever come back.
func (d *speakerDevice) close() error {
	if !d.mu.TryLock() {
		d.left.Store(true)
		if !d.mu.TryLock() {
			return nil
		}
	}
	defer d.mu.Unlock()
	if d.pcm != nil {
		C.snd_pcm_drop(d.pcm)
		C.snd_pcm_close(d.pcm)
		d.pcm = nil
	}
	return nil
}
