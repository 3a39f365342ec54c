package machine

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"regexp"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Notice is what a technician reads on the screen: what is wrong, where, and what
// to do.
type Notice struct {
	Title []string // large, one line a language
	Said  string   // the error
	Do    []string // one line a language
}

// What the screen says beside mistakes.
var (
	// Holding is shown while the button of a factory reset is held.
	Holding = Notice{
		Title: []string{"공장 초기화", "Factory reset"},
		Said:  "아직 보내지 않은 기록이 지워집니다.\nVisits that were not sent yet will be lost.",
		Do:    []string{"초기화하려면 버튼을 10초 동안 누르고 계세요. 아니면 손을 떼 주세요.", "Hold the button for 10 seconds to go on. Let go of it to leave everything as it is."},
	}
	// LetGo is shown when it was held long enough.
	LetGo = Notice{
		Title: []string{"이제 버튼에서 손을 떼 주세요", "Let go of the button now"},
		Said:  "손을 떼면 초기화합니다.\nThe device is made new when you let go.",
		Do:    []string{"초기화하지 않으려면 10초 더 누르고 계세요.", "To leave everything as it is, hold it for 10 seconds more."},
	}
	// Mending is shown while a damaged data partition is repaired.
	Mending = Notice{
		Title: []string{"저장 공간을 고치고 있습니다", "Mending what is kept on the card"},
		Said:  "전원이 꺼질 때 기록이 다쳤을 수 있습니다.\nThe file system on the card is damaged.",
		Do:    []string{"전원을 켜 둔 채 잠시 기다려 주세요.", "Leave the power on and wait a moment."},
	}
	// Anew is shown when nothing of it could be saved.
	Anew = Notice{
		Title: []string{"저장 공간을 새로 만듭니다", "What was kept on the card is lost"},
		Said:  "고칠 수 없어 비우고 새로 시작합니다.\nIt could not be mended: the device starts as a new one.",
		Do:    []string{"잠시 뒤 시작하면 등록 코드를 카메라에 보여 주세요. 자주 일어나면 메모리 카드를 바꿔 주세요.", "Show it an enrolment code in a moment. If this happens again, put a new card in."},
	}
	// Worn is shown when the card does not answer.
	Worn = Notice{
		Title: []string{"메모리 카드를 읽을 수 없습니다", "The memory card cannot be read"},
		Said:  "5분 뒤 스스로 다시 켜 봅니다.\nThe device starts anew in 5 minutes by itself.",
		Do:    []string{"계속되면 새 메모리 카드로 바꿔 주세요.", "If this stays, put a new card in."},
	}
)

// located finds file and line at the beginning of an error of package configs.
var located = regexp.MustCompile(`^(?:.*/)?([^/:\s]+):(\d+): `)

// Explain makes a mistake's words of an error in a settings file.
func Explain(file string, err error) Notice {
	where, line := "munjigi/"+file, ""
	if m := located.FindStringSubmatch(err.Error()); m != nil {
		line = m[2]
	}
	m := Notice{
		Title: []string{"설정 파일을 고쳐 주세요", "A settings file has a mistake"},
		Said:  err.Error(),
		Do: []string{
			"전원을 끄고 메모리 카드를 PC에 꽂아 " + where + " 파일을 고친 뒤 다시 켜 주세요.",
			"Switch off, put the card into a PC, mend " + where + " and switch on again.",
		},
	}
	if line != "" {
		m.Do[0] = "전원을 끄고 메모리 카드를 PC에 꽂아 " + where + " 파일의 " + line + "번째 줄을 고친 뒤 다시 켜 주세요."
		m.Do[1] = "Switch off, put the card into a PC, mend line " + line + " of " + where + " and switch on again."
	}
	return m
}

// Draw fills a picture with a notice's words: dark on light, no lamp's colour.
func Draw(dst *image.RGBA, m Notice, typeface []byte) error {
	f, err := opentype.Parse(typeface)
	if err != nil {
		return fmt.Errorf("read the typeface: %w", err)
	}
	b := dst.Bounds()
	draw.Draw(dst, b, image.NewUniform(color.RGBA{0xf4, 0xf1, 0xea, 0xff}), image.Point{}, draw.Src)
	unit := min(b.Dx()/32, b.Dy()/18)
	if unit < 4 {
		return errors.New("the screen is too small for words")
	}
	at := b.Min.Add(image.Pt(unit*3/2, unit*2))
	dark, soft := image.NewUniform(color.RGBA{0x1c, 0x24, 0x2c, 0xff}), image.NewUniform(color.RGBA{0x4a, 0x55, 0x60, 0xff})
	for i, p := range []struct {
		lines []string
		size  int
		ink   image.Image
	}{{m.Title[:1], unit * 2, dark}, {m.Title[1:], unit, soft}, {strings.Split(m.Said, "\n"), unit * 9 / 10, dark}, {m.Do[:1], unit, dark}, {m.Do[1:], unit * 9 / 10, soft}} {
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: float64(p.size), DPI: 72})
		if err != nil {
			return fmt.Errorf("make letters: %w", err)
		}
		if i == 2 || i == 3 {
			at.Y += unit / 2
		}
		for _, line := range p.lines {
			for _, row := range wrap(face, line, b.Dx()-3*unit) {
				at.Y += p.size * 5 / 4
				d := font.Drawer{Dst: dst, Src: p.ink, Face: face, Dot: fixed.P(at.X, at.Y)}
				d.DrawString(row)
			}
		}
	}
	return nil
}

// wrap breaks text into rows of at most width pixels, at blanks or, where a word
// is longer than a row, anywhere.
func wrap(face font.Face, text string, width int) (rows []string) {
	row := ""
	fits := func(s string) bool { return font.MeasureString(face, s).Ceil() <= width }
	for _, word := range strings.Fields(text) {
		if next := strings.TrimSpace(row + " " + word); fits(next) {
			row = next
			continue
		}
		if row != "" {
			rows = append(rows, row)
			row = ""
		}
		for _, r := range word {
			if row != "" && !fits(row+string(r)) {
				rows = append(rows, row)
				row = ""
			}
			row += string(r)
		}
	}
	return append(rows, row)
}
