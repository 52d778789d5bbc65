// Package uplot carries uPlot 1.6.32 (MIT, see uPlot.LICENSE), which draws the charts of reports. They have it inside,
// so that a report is one file.
package uplot

import (
	_ "embed"
	"html/template"
)

//go:embed uPlot.iife.min.js
var script string

//go:embed uPlot.min.css
var style string

// Script is the library, for a script element. It defines uPlot.
func Script() template.JS { return template.JS(script) }

// Style is its style sheet.
func Style() template.CSS { return template.CSS(style) }
