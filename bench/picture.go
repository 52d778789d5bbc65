package main

import (
	"fmt"
	"strings"
)

// frame of the picture; colours that can be read on light and on dark ground, with text in the reader's own scheme.
const pictureHead = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" font-family="system-ui, sans-serif" font-size="13">
<title>Requests/s in percent of a HAProxy that has nothing to decide</title>
<style>text { fill: #24292f } .quiet { fill: #57606a } .line { stroke: #d0d7de }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } .line { stroke: #3d444d } }</style>
`

const (
	pictureWidth = 760
	barLeft      = 250 // where bars begin, in pixels
	barFull      = 440 // of 100 %
	barHeight    = 18
)

// bar is one value of the picture.
type bar struct {
	name, colour string
	share        float64 // of bare
}

// picture draws the rows of routing: requests/s in percent of a HAProxy that has nothing to decide. It is "" where they
// have not been measured.
func (r results) picture() string {
	ratios := map[string]float64{}
	for _, row := range r.Rows {
		ratios[row.Name] = row.Ratio
	}
	var b strings.Builder
	y := 46
	for _, n := range routingSizes {
		name := fmt.Sprintf("routing %d services", n)
		ours, floor, chain := ratios[name+" against bare"], ratios[name+" against the floor"], ratios[name+", DFP's ACL chain against bare"]
		if ours == 0 || floor == 0 || chain == 0 {
			return ""
		}
		fmt.Fprintf(&b, "<text x=\"0\" y=\"%d\" font-weight=\"600\">%s services</text>\n", y+14, number(float64(n)))
		for _, one := range []bar{{"Sluice", "#1f883d", ours}, {"backend named by a header", "#8c959f", ours / floor}, {"a chain of ACLs", "#cf6a1c", chain}} {
			width := one.share * barFull
			fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" class=\"quiet\">%s</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\"/><text x=\"%.1f\" y=\"%d\">%.3g %%</text>\n",
				barLeft-10, y+14, one.name, barLeft, y, max(1, width), barHeight, one.colour, barLeft+max(1, width)+6, y+14, one.share*100)
			y += barHeight + 4
		}
		y += 12
	}
	foot := fmt.Sprintf("<line class=\"line\" x1=\"%[1]d\" x2=\"%[1]d\" y1=\"38\" y2=\"%[2]d\" stroke-dasharray=\"3 3\"/>\n<text x=\"0\" y=\"%[3]d\" class=\"quiet\" font-size=\"11\">%[4]s</text>\n</svg>\n",
		barLeft+barFull, y-8, y+10, r.Machine)
	head := "<text x=\"0\" y=\"18\" font-weight=\"600\">Requests/s through one HAProxy thread, in percent of a HAProxy that has nothing to decide</text>\n"
	return fmt.Sprintf(pictureHead, pictureWidth, y+20) + head + b.String() + foot
}
