package kiosk

import (
	"context"
	"errors"
	"image"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
)

// bubble runs a test with its own clock on a kiosk that is stopped at the end.
func bubble(t *testing.T, s setting, test func(*testing.T, *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, s)
		r.run()
		defer func() { r.stop() }()
		test(t, r)
	})
}

// TestPersistThenSpeak is law 1: what the visitor notices comes after the disk.
func TestPersistThenSpeak(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.show(r.pass(1, 0, nil))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		calls, events := r.record()
		want := []string{"on disk", "green", "show accepted", "say accepted"}
		if diff := cmp.Diff(want, calls[:min(4, len(calls))]); diff != "" {
			t.Error(diff)
		}
		if !slices.Contains(calls, "noted") {
			t.Error("the announcement was not noted")
		}
		var stages []Stage
		for _, e := range events {
			if stages = append(stages, e.Stage); e.Verdict != Accepted || e.Seq != 1 || e.Again {
				t.Errorf("event %+v", e)
			}
		}
		if diff := cmp.Diff([]Stage{Decided, Started, Ended}, stages); diff != "" {
			t.Error(diff)
		}
		r.wantVisits(1)
	})
}

func TestHeldStill(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.hold(10*time.Second, r.pass(1, 0, nil))
		r.wantSaid(audio.Accepted)
		r.wantVisits(1)
		if got := r.screen.now().Scene; got != display.Accepted {
			t.Errorf("the screen shows %q while the code is held", got)
		}
	})
}

// TestShownAgain measures the 2.5 s from the end of the prompt, as the visitor does.
func TestShownAgain(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  []audio.Prompt
	}{
		{2400 * time.Millisecond, []audio.Prompt{audio.Accepted}},
		{2600 * time.Millisecond, []audio.Prompt{audio.Accepted, audio.Used}},
	} {
		bubble(t, setting{}, func(t *testing.T, r *rig) {
			text := r.pass(1, 0, nil)
			r.show(text)
			time.Sleep(r.voice.lasts + c.after)
			r.hold(time.Second, text)
			r.wantSaid(c.want...)
			r.wantVisits(1)
		})
	}
}

// TestAttestationTakenOff shows one pass in two spellings: with the record
// beside it and without.
func TestAttestationTakenOff(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		health := &pass.Health{Complete: true, Doses: []pass.Dose{{Number: 1, Date: time.Unix(0, 0)}}}
		full, plain := r.pass(1, 0, health), r.pass(1, 0, nil)
		r.show(full)
		r.show(plain, full)
		r.hold(700*time.Millisecond, plain) // while the prompt is still being said
		r.wantSaid(audio.Accepted)
		time.Sleep(4 * time.Second)
		r.show(plain)
		r.wantSaid(audio.Accepted, audio.Used)
		r.wantVisits(1)
	})
}

// TestCrash ends the kiosk between the record and the end of the prompt, as
// the journal on disk sees it: admitted, never announced.
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, setting{})
		r.run()
		text := r.pass(1, 0, nil)
		r.show(text)
		r.stop() // cuts the prompt
		r.wantSaid(audio.Accepted)
		if calls, _ := r.record(); slices.Contains(calls, "noted") {
			t.Fatal("a prompt that was cut by the stop is noted as announced")
		}

		r = newRig(t, setting{path: r.path})
		r.run()
		time.Sleep(3 * time.Second)
		r.show(text)
		r.wantSaid(audio.Accepted)
		r.wantVisits(1)
		if _, events := r.record(); !events[0].Again || events[0].Seq != 1 {
			t.Errorf("the second announcement is %+v", events[0])
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.stop()

		r = newRig(t, setting{path: r.path})
		r.run()
		time.Sleep(2 * time.Second)
		r.show(text)
		r.wantSaid(audio.Used)
		r.wantVisits(1)
		r.stop()
	})
}

func TestJournalFails(t *testing.T) {
	for name, persists := range map[string]bool{"failed": false, "failed but persisted": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, setting{}, func(t *testing.T, r *rig) {
				text := r.pass(1, 0, nil)
				r.keeper.fault, r.keeper.persists = errors.New("input/output error"), persists
				r.hold(3*time.Second, text)
				r.wantSaid(audio.OutOfOrder)
				if got := r.screen.now().Scene; got != display.OutOfOrder {
					t.Errorf("the screen shows %q", got)
				}
				r.keeper.fault = nil
				r.hold(6*time.Second, text)
				r.wantSaid(audio.OutOfOrder, audio.Accepted)
				r.wantVisits(1)
			})
		})
	}
}

func TestNotYetValid(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		text := r.pass(1, 5*time.Second, nil)
		r.show(text)
		if got := r.screen.now(); got.Scene != display.NotYetValid || got.Seconds != 5 {
			t.Errorf("the screen shows %q, %d s", got.Scene, got.Seconds)
		}
		r.hold(6*time.Second, text)
		r.wantSaid(audio.PhoneClock, audio.Accepted)
		r.wantVisits(1)
	})
}

func TestTwoCodesInOneFrame(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		a, b := r.pass(1, 0, nil), r.pass(2, 0, nil)
		r.show("HTTPS://EXAMPLE.ORG/POSTER", a)
		r.wantSaid(audio.NotAPass, audio.Accepted)
		r.show(b, a)
		r.wantSaid(audio.NotAPass, audio.Accepted, audio.Accepted)
		r.wantVisits(2)
	})
}

// TestOneBadFrame is law 10.
// TestNobodyTalksOver holds that an admitted visitor hears and sees it to the
// end, whatever else is in the picture, and is not told "used" for it.
func TestNobodyTalksOver(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		good, poster := r.pass(1, 0, nil), "HTTPS://EXAMPLE.ORG/POSTER"
		r.show(good, poster)
		r.wantSaid(audio.Accepted)
		if got := r.screen.now().Scene; got != display.Accepted {
			t.Errorf("the screen shows %q", got)
		}
		r.hold(800*time.Millisecond, good, poster)
		r.wantSaid(audio.Accepted)
		r.hold(3*time.Second, poster)
		r.wantSaid(audio.Accepted, audio.NotAPass)
		r.wantVisits(1)
	})
}

// TestSlowDisk asks for patience while the visit is kept, and then gives the
// answer its full time.
func TestSlowDisk(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.keeper.slow = 3 * time.Second
		r.show(r.pass(1, 0, nil))
		time.Sleep(4 * time.Second)
		r.wantSaid(audio.Wait, audio.Accepted)
		r.show()
		if got := r.screen.now().Scene; got != display.Accepted {
			t.Errorf("the screen shows %q a second after the answer", got)
		}
	})
}

// TestFailingDiskIsNotFlogged tries again while the phone is held, but not on
// every frame.
func TestFailingDiskIsNotFlogged(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.keeper.fault = errors.New("input/output error")
		r.hold(10*time.Second, r.pass(1, 0, nil))
		if r.keeper.writes < 5 || r.keeper.writes > 25 {
			t.Errorf("%d writes in ten seconds", r.keeper.writes)
		}
		r.wantSaid(audio.OutOfOrder)
	})
}

func TestOneBadFrame(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.frame(reading{err: errors.New("broken picture")})
		r.show("MJ1 NOT A PASS")
		r.show(r.pass(1, 0, nil))
		r.wantSaid(audio.Unreadable, audio.Accepted)
		r.wantVisits(1)
		if n := r.k.Frames(); n != 3 {
			t.Errorf("%d frames, want 3", n)
		}
	})
}

func TestStaffField(t *testing.T) {
	for _, staff := range []bool{false, true} {
		bubble(t, setting{config: Config{Skew: pass.Skew, Staff: staff}}, func(t *testing.T, r *rig) {
			health := &pass.Health{Complete: true, Doses: []pass.Dose{
				{Number: 1, Date: time.Now().AddDate(0, 0, -60)}, {Number: 2, Date: time.Now().AddDate(0, 0, -15)},
			}}
			r.show(r.pass(1, 0, health))
			var want *display.Staff
			if staff {
				want = &display.Staff{Complete: true, TwoWeeksOn: true, Doses: 2}
			}
			if diff := cmp.Diff(want, r.screen.now().Staff); diff != "" {
				t.Errorf("staff %v: %s", staff, diff)
			}
			r.show(r.pass(2, 0, nil)) // the next visitor, at once
			if got := r.screen.now(); got.Scene != display.Accepted || got.Staff != nil {
				t.Errorf("staff %v: the next visitor's screen holds %v", staff, got.Staff)
			}
			time.Sleep(5 * time.Second)
			r.show()
			if got := r.screen.now(); got.Scene != display.Idle || got.Staff != nil {
				t.Errorf("staff %v: afterwards the screen shows %q, %v", staff, got.Scene, got.Staff)
			}
		})
	}
}

// TestNoLoudspeaker answers every prompt at once: the stages keep their order.
func TestNoLoudspeaker(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		r.k.speech.voice = mute{}
		r.show(r.pass(1, 0, nil))
		_, events := r.record()
		if len(events) != 2 || events[0].Stage != Decided || events[1].Stage != Ended {
			t.Errorf("events %+v", events)
		}
		time.Sleep(3 * time.Second)
		r.wantVisits(1)
	})
}

type mute struct{}

func (mute) Aim(float64) {}

func (mute) SayTimed(_ audio.Prompt, _ func(), done func(audio.Outcome)) {
	ended := make(chan struct{})
	go func() { done(audio.Silent); close(ended) }()
	<-ended
}

func TestVerifyOnlyKeepsNothing(t *testing.T) {
	bubble(t, setting{kind: "museum"}, func(t *testing.T, r *rig) {
		text := r.pass(1, 0, nil)
		r.show(text)
		time.Sleep(4 * time.Second)
		r.show(text)
		r.wantSaid(audio.Checked, audio.Used)
		r.wantVisits(0)
	})
}

func TestCameraLost(t *testing.T) {
	bubble(t, setting{}, func(t *testing.T, r *rig) {
		if got := r.screen.now().Scene; got != display.Wait {
			t.Errorf("before the first frame the screen shows %q", got)
		}
		r.show()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if got := r.screen.now().Scene; got != display.Idle {
			t.Errorf("4 s without a frame: %q", got)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := r.screen.now().Scene; got != display.OutOfOrder {
			t.Errorf("7 s without a frame: %q", got)
		}
		r.show()
		if got := r.screen.now().Scene; got != display.Idle {
			t.Errorf("frames are back: %q", got)
		}
	})
}

// TestEndOfFrames ends with a finite source, so that a folder of pictures ends the daemon.
func TestEndOfFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, setting{})
		defer r.journal.Close()
		r.k.parts.Frames = over{}
		if err := r.k.Run(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("Run: %v", err)
		}
	})
}

type over struct{}

func (over) Next(context.Context) (camera.Frame, error) { return camera.Frame{}, io.EOF }

// TestStuck is what the watchdog goes by, wherever the system's clock is: the
// registry's time may be used in its place.
func TestStuck(t *testing.T) {
	for _, off := range []time.Duration{0, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, setting{})
			r.k.parts.Now = func() time.Time { return time.Now().Add(off) }
			slow := make(chan struct{})
			r.k.parts.Decoder = decoderFunc(func() { <-slow })
			r.run()
			time.Sleep(time.Second)
			if d := r.k.Stuck(); d != 0 {
				t.Errorf("stuck for %v without a frame", d)
			}
			r.show()
			time.Sleep(7 * time.Second)
			if d := r.k.Stuck(); d != 7*time.Second {
				t.Errorf("the clock %v off: stuck for %v, want 7 s", off, d)
			}
			close(slow)
			synctest.Wait()
			if d := r.k.Stuck(); d != 0 {
				t.Errorf("stuck for %v after the frame", d)
			}
			r.stop()
		})
	}
}

type decoderFunc func()

func (f decoderFunc) Decode(*image.Gray) ([]qr.Symbol, error) { f(); return nil, nil }

// TestAnswers holds every verdict to a scene, words and, where it must differ,
// a lamp of its own.
func TestAnswers(t *testing.T) {
	painter, err := display.NewPainter(display.Options{})
	if err != nil {
		t.Fatal(err)
	}
	verdicts := []Verdict{Accepted, Verified, Used, OutOfOrder, StaffAdmitted, HelpCalled, DoorHeld}
	for _, r := range pass.Reasons() {
		verdicts = append(verdicts, of(r))
	}
	if len(verdicts) != len(answers) {
		t.Errorf("%d verdicts, %d answers", len(verdicts), len(answers))
	}
	prompts := map[audio.Prompt]bool{}
	for _, p := range audio.Prompts() {
		prompts[p] = true
	}
	scenes, words := map[display.Scene]Verdict{}, map[string]Verdict{}
	for _, v := range verdicts {
		a, ok := answers[v]
		if !ok {
			t.Errorf("no answer for %q", v)
			continue
		}
		if other, taken := scenes[a.scene]; taken {
			t.Errorf("%q and %q share the scene %q", v, other, a.scene)
		}
		scenes[a.scene] = v
		text := painter.Words(display.State{Scene: a.scene})
		if other, taken := words[text]; taken || text == "" {
			t.Errorf("%q and %q share the words %q", v, other, text)
		}
		words[text] = v
		if !prompts[a.prompt] {
			t.Errorf("%q says %q, which is no prompt", v, a.prompt)
		}
		if good := v == Accepted || v == Verified || v == StaffAdmitted; good != (a.signal == lines.Accept) {
			t.Errorf("%q lights %v", v, a.signal)
		}
		if a.hold < time.Second {
			t.Errorf("%q stays for %v", v, a.hold)
		}
	}
}

// TestNoAllocations counts what the loop itself asks of memory for a frame
// without a code.
func TestNoAllocations(t *testing.T) {
	k := New(Config{}, Parts{
		Decoder: decoderFunc(func() {}), Findings: sees(qr.Finding{Problem: qr.Unclear, Located: true}), Screen: deaf{}, Voice: mute{},
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	frame := camera.Frame{Gray: image.NewGray(image.Rect(0, 0, 1280, 720)), At: time.Now()}
	if n := testing.AllocsPerRun(100, func() {
		frame.At = frame.At.Add(33 * time.Millisecond)
		k.frame(t.Context(), frame)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

type sees qr.Finding

func (f sees) Finding() qr.Finding { return qr.Finding(f) }

type deaf struct{}

func (deaf) Show(display.State) {}

// TestSayNothingOfThePass searches the log for what was shown.
func TestSayNothingOfThePass(t *testing.T) {
	var log strings.Builder
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, setting{})
		r.k.parts.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r.run()
		for _, text := range []string{r.pass(1, 0, nil), r.pass(2, -time.Minute, nil), "MJ1ABCDEFGHIJKLMNOP", "HTTPS://EXAMPLE.ORG/MENU"} {
			r.show(text)
			for i := 3; i+8 <= len(text); i++ {
				if strings.Contains(log.String(), text[i:i+8]) {
					t.Fatalf("the log quotes %q", text[i:i+8])
				}
			}
		}
		r.stop()
	})
	if log.Len() == 0 {
		t.Error("nothing was logged")
	}
}
