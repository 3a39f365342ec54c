package screens

import "testing"

func TestConditionsStay(t *testing.T) {
	for _, kind := range ConditionKinds() {
		streams, err := Condition(kind, 5, 6)
		if err != nil {
			t.Fatal(err)
		}
		if len(streams) != 6 || streams[0].Frames[0].Text == streams[1].Frames[0].Text {
			t.Fatalf("%s: %d streams, want 6 that differ", kind, len(streams))
		}
		for i, s := range streams {
			if s.Class != kind || len(s.Frames) != ConditionFrames || s.InView < 0 || s.InView+FPS > ConditionFrames {
				t.Fatalf("%s %d: %q, %d frames, in view at %d", kind, i, s.Class, len(s.Frames), s.InView)
			}
			for n, c := range s.Frames[s.InView:] {
				wrong := map[string]bool{
					"too small":    c.Pitch < 1.15,
					"too large":    c.Pitch > 12 || !c.InView(0),
					"moving":       c.Motion > 2.5*c.Pitch,
					"out of focus": c.Blur > 0.7*max(2, c.Pitch),
					"glare":        c.Glare >= 0.5,
					"too dark":     c.Gamma > 10 || c.Contrast < 7,
					"too bright":   c.Gamma < 0.02 || c.Mid > 300,
					"tilted":       c.Tilt > 55,
				}
				if len(wrong) != len(ConditionKinds())-1 {
					t.Fatal("a kind is not looked at")
				}
				wrong["none"] = false
				if got := wrong[kind]; got != (kind != "none") {
					t.Fatalf("%s %d, frame %d after it came into view: wrong %v: %+v", kind, i, n, got, c.Conditions)
				}
				for other, is := range wrong {
					if is && other != kind && n > 10 {
						t.Fatalf("%s %d, frame %d after it came into view: %s too: %+v", kind, i, n, other, c.Conditions)
					}
				}
			}
		}
	}
	if _, err := Condition("upside down", 1, 1); err == nil {
		t.Error("a kind that there is not gave no error")
	}
}
