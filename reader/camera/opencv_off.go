//go:build !opencv

package camera

import "fmt"

func openOpenCV(name string, _ Config) (Source, error) {
	return nil, fmt.Errorf("opencv:%s needs OpenCV, which is not built in; install libopencv-dev and build with -tags opencv,gocv_specific_modules,gocv_videoio: %w",
		name, ErrUnsupported)
}
