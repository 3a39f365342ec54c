package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// free is an address nobody listens on at the moment.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// slow is a clock at a quarter of its speed, and patience for a busy machine
// under the race detector: a code's 15 seconds are a minute.
func slow() options {
	start := time.Now()
	return options{
		now:      func() time.Time { return start.Add(time.Since(start) / 4) },
		patience: time.Minute, fps: 5,
	}
}

// TestDemo boots the whole of it and lets the programme's five visitors come.
func TestDemo(t *testing.T) {
	var out, log bytes.Buffer
	err := runWith(t.Context(), slow(), []string{"-visitors", "5", "-exit", "-sound", "off",
		"-screen", free(t), "-phone", "127.0.0.1:0", "-registry", "127.0.0.1:0"}, &out, &log)
	if err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	table := out.String()
	if i := strings.LastIndex(table, "visitor  "); i >= 0 {
		table = table[i:]
	}
	for _, want := range [][]string{
		{"visitor", "verdict", "frame→shown", "ms", "recorded", "uploaded"},
		{"good", "accepted", "*", "yes", "yes"},
		{"used", "twice", "used", "*", "–", "–"},
		{"expired", "expired", "*", "–", "–"},
		{"forged", "signature", "*", "–", "–"},
		{"vaccinated", "accepted", "*", "yes", "yes"},
	} {
		if !hasLine(table, want) {
			t.Errorf("no line %v in\n%s", want, out.String())
		}
	}
}

// hasLine finds a line of these words; "*" stands for any.
func hasLine(text string, want []string) bool {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		same := len(words) == len(want)
		for i := range min(len(words), len(want)) {
			same = same && (want[i] == "*" || want[i] == words[i])
		}
		if same {
			return true
		}
	}
	return false
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args   []string
		camera string
		want   string
	}{
		{[]string{"-exit"}, "", "-visitors N"},
		{[]string{"-exit", "-visitors", "5"}, "/dev/video0", "no CAMERA"},
		{[]string{"-registry", "nonsense"}, "", "choose another address"},
		{[]string{"-sound", "loud", "-phone", "127.0.0.1:0", "-registry", "127.0.0.1:0"}, "", "speaker"},
	} {
		var out, log bytes.Buffer
		err := run(t.Context(), c.args, c.camera, &out, &log)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}

// TestStopped ends before all visitors have come: that is no success.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, log bytes.Buffer
	err := run(ctx, []string{"-visitors", "5", "-exit", "-sound", "off", "-screen", free(t), "-phone", "127.0.0.1:0", "-registry", "127.0.0.1:0"}, "", &out, &log)
	if err == nil {
		t.Errorf("a stopped demo succeeded:\n%s", out.String())
	}
}
