package virtual

import (
	"image"
	"image/color"
	"testing"
)

// TestPage holds that a page stands on the glass where it should: its top left
// corner at the glass's, its width the glass's, cut off at the lower edge.
func TestPage(t *testing.T) {
	s := NewScene(1, image.Pt(1280, 720), Look{Scale: 4, White: 225, Black: 28})
	page := image.NewGray(image.Rect(0, 0, 360, 2000))
	for i := range page.Pix {
		page.Pix[i] = 255
	}
	for y := range 180 { // the upper left quarter of a screen is black
		for x := range 180 {
			page.SetGray(x, y, color.Gray{})
		}
	}
	screen := s.NewPicture(page)
	pose := Pose{X: 640, Y: 360, Scale: 4}
	var dst image.Gray
	s.Render(&dst, screen, pose, 0)
	at := func(x, y float64) uint8 { return dst.GrayAt(int(640+4*x), int(360+4*y)).Y } // mm
	mm := paneW / 360.0
	for name, tt := range map[string]struct {
		x, y  float64
		black bool
	}{
		"its middle":       {paneX + 90*mm, paneY + 90*mm, true},
		"left of its edge": {paneX + 177*mm, paneY + 90*mm, true},
		"beyond it":        {paneX + 183*mm, paneY + 90*mm, false},
		"above its end":    {paneX + 90*mm, paneY + 177*mm, true},
		"below it":         {paneX + 90*mm, paneY + 183*mm, false},
		"the lower edge":   {paneX + 180*mm, paneY + paneH - 1, false},
	} {
		if got := at(tt.x, tt.y); (got < 80) != tt.black || !tt.black && got < 180 {
			t.Errorf("%s: luma %d", name, got)
		}
	}
	if below := at(0, paneY+paneH+2); below > 120 {
		t.Errorf("the page runs over the phone's edge: luma %d", below)
	}
}
