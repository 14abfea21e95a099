package lawtest

import (
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"slices"
	"testing"
)

// A type in the exported API of a public package must be one that its users can name.
func TestPublicPackagesSpeakNoInternalTypes(t *testing.T) {
	t.Parallel()
	public := readLaw(t).groups["public"]
	var paths []string
	for _, p := range public {
		paths = append(paths, module+"/"+p)
	}
	exports := map[string]string{}
	for _, p := range list(t, append([]string{"-export", "-deps"}, paths...)...) {
		exports[p.ImportPath] = p.Export
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	load := importer.ForCompiler(token.NewFileSet(), "gc", open)
	for _, path := range paths {
		p, err := load.Import(path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		api := surface{public: public, seen: map[types.Type]bool{}, report: func(name string) {
			t.Errorf("%s: its exported API names %s, which is not public", path, name)
		}}
		for _, name := range p.Scope().Names() {
			if object := p.Scope().Lookup(name); object.Exported() {
				api.visit(object.Type())
			}
		}
	}
}

// surface walks the types that users of a package can see.
type surface struct {
	public []string
	seen   map[types.Type]bool
	report func(name string)
}

func (s surface) visit(t types.Type) {
	if t == nil || s.seen[t] {
		return
	}
	s.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		s.visit(types.Unalias(t))
	case *types.Named:
		s.named(t)
	case *types.TypeParam:
		s.visit(t.Constraint())
	case *types.Map:
		s.visit(t.Key())
		s.visit(t.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		s.visit(t.Elem())
	case *types.Signature:
		s.visit(t.Params())
		s.visit(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			s.visit(v.Type())
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				s.visit(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			s.visit(m.Type())
		}
		for e := range t.EmbeddedTypes() {
			s.visit(e)
		}
	case *types.Union:
		for term := range t.Terms() {
			s.visit(term.Type())
		}
	}
}

// named checks where a type is from, and looks into it if it is from a public package of ours.
func (s surface) named(t *types.Named) {
	for a := range t.TypeArgs().Types() {
		s.visit(a)
	}
	p := t.Obj().Pkg()
	if p == nil { // error and its like
		return
	}
	name, isOurs := ours(p.Path())
	switch {
	case !isOurs:
	case !slices.Contains(s.public, name):
		s.report(p.Path() + "." + t.Obj().Name())
	default:
		s.visit(t.Underlying())
		for m := range t.Methods() {
			if m.Exported() {
				s.visit(m.Type())
			}
		}
	}
}
