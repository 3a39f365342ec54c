//go:build !opencv

package camera

import (
	"errors"
	"strings"
	"testing"
)

func TestOpenCVIsNotBuiltIn(t *testing.T) {
	_, err := Open(t.Context(), Config{Source: "opencv:rtsp://10.0.0.9/live"})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "-tags opencv,gocv_specific_modules,gocv_videoio") {
		t.Errorf("error %v", err)
	}
}
