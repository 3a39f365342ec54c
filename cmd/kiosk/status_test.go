package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/munjigi/munjigi/cmd/internal/device"
)

// TestStatus holds the exit statuses that units go by.
func TestStatus(t *testing.T) {
	for want, err := range map[int]error{
		0: nil, 1: errors.New("a fault"), 2: errUsage, statusReboot: fmt.Errorf("watch: %w", device.ErrReboot),
	} {
		if got := status(err, io.Discard); got != want {
			t.Errorf("%v ends with %d, want %d", err, got, want)
		}
	}
	unit, err := os.ReadFile("../../image/root/usr/lib/systemd/system/munjigi-kiosk.service.d/image.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{fmt.Sprintf("RestartPreventExitStatus=%d\n", statusReboot), fmt.Sprintf("ExecStopPost=+/bin/sh -c '[ \"$EXIT_STATUS\" != %d ] || systemctl --no-block reboot'\n", statusReboot), "Environment=MUNJIGI_REBOOTS=1\n"} {
		if !strings.Contains(string(unit), line) {
			t.Errorf("the image's unit lacks %s", line)
		}
	}
	if strings.Contains(string(unit), "\nFailureAction=") {
		t.Error("systemd takes FailureAction= at each failure, also where it starts the kiosk again")
	}
}
