package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// pretty lays out a JSON document in as few lines of at most width columns as it can, without tearing apart values that
// fit on a line. The sequence of members stays as it is. What is no JSON comes back as it is.
func pretty(document []byte, width int) []string {
	document = bytes.TrimSpace(document)
	if !json.Valid(document) {
		return strings.Split(string(document), "\n")
	}
	return layout(document, width)
}

// layout fills lines with members, as text is filled with words; a member that needs several lines has them to itself.
func layout(value json.RawMessage, width int) []string {
	flat := oneLine(value)
	all := elements(value)
	if columns(flat) <= width || len(all) == 0 {
		return []string{flat}
	}
	var lines []string
	filling := false // the last line is of whole members
	for i, e := range all {
		block := hang(e.name, layout(e.value, width-columns(e.name)-2)) // less a bracket or a blank, and a comma
		if i < len(all)-1 {
			block[len(block)-1] += ","
		}
		last := len(lines) - 1
		if filling && len(block) == 1 && columns(lines[last])+1+columns(block[0]) < width-1 {
			lines[last] += " " + block[0]
			continue
		}
		filling = len(block) == 1
		lines = append(lines, block...)
	}
	lines = hang(string(value[0]), lines)
	lines[len(lines)-1] += string(value[len(value)-1])
	return lines
}

// hang puts a prefix before the first line, and as many blanks before the others.
func hang(prefix string, lines []string) []string {
	blanks := strings.Repeat(" ", columns(prefix))
	for i := range lines {
		lines[i] = blanks + lines[i]
	}
	lines[0] = prefix + lines[0][len(blanks):]
	return lines
}

func columns(s string) int { return utf8.RuneCountInString(s) }

// element is a member of an object, with its name and colon, or an element of an array, without.
type element struct {
	name  string
	value json.RawMessage
}

// elements splits an object or an array, which must be valid; other values have none.
func elements(value json.RawMessage) []element {
	if value[0] != '{' && value[0] != '[' {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(value))
	_, _ = dec.Token() // { or [
	var all []element
	for dec.More() {
		var e element
		if value[0] == '{' {
			name, _ := dec.Token()
			e.name = string(mustMarshal(name)) + ": "
		}
		_ = dec.Decode(&e.value)
		all = append(all, e)
	}
	return all
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // names are strings
	}
	return b
}

// oneLine writes a value on one line, with a space after commas and colons.
func oneLine(value json.RawMessage) string {
	switch value[0] {
	case '{', '[':
		parts := []string{}
		for _, e := range elements(value) {
			parts = append(parts, e.name+oneLine(e.value))
		}
		return string(value[0]) + strings.Join(parts, ", ") + string(value[len(value)-1])
	default:
		return string(value)
	}
}
