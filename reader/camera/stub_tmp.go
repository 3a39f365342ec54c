package camera

import "context"

func openRpicam(context.Context, string, Config) (Source, error) { return nil, ErrUnsupported }
func openFolder(string) (Source, error)                          { return nil, ErrUnsupported }
func openOpenCV(string, Config) (Source, error)                  { return nil, ErrUnsupported }
func openV4L2(Config) (Source, error)                            { return nil, ErrUnsupported }
func openStill(string) (Source, error)                           { return nil, ErrUnsupported }
func isStill(string) bool                                        { return false }
