package main

import (
	"bytes"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// bill is the bill of materials, as CycloneDX 1.6: Go modules, Go itself, and the packages of the web app. Its serial number is left
// out, so that the same release has the same bill.
func (r release) bill(parts []part) ([]byte, error) {
	bom := cdx.NewBOM()
	bom.SerialNumber = ""
	self := component(part{"golang", "github.com/rollcall-im/rollcall", r.version, "Apache-2.0", ""})
	self.Type = cdx.ComponentTypeApplication
	var hashes []cdx.Hash
	for _, b := range r.build {
		sum, err := checksum(b.binary)
		if err != nil {
			return nil, err
		}
		if len(r.build) == 1 {
			hashes = append(hashes, cdx.Hash{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)})
		}
		self.Properties = properties(self.Properties, "rollcall:binary:linux/"+b.arch+":sha256", hex.EncodeToString(sum))
	}
	if hashes != nil {
		self.Hashes = &hashes
	}
	bom.Metadata = &cdx.Metadata{Timestamp: r.at.Format(time.RFC3339), Component: &self}
	components, refs := []cdx.Component{}, []string{}
	for _, p := range parts {
		one := component(p)
		components, refs = append(components, one), append(refs, one.BOMRef)
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: self.BOMRef, Dependencies: &refs}}
	var out bytes.Buffer
	encoder := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON)
	encoder.SetPretty(true)
	err := encoder.EncodeVersion(bom, cdx.SpecVersion1_6)
	return out.Bytes(), err
}

func properties(to *[]cdx.Property, name, value string) *[]cdx.Property {
	if to == nil {
		to = &[]cdx.Property{}
	}
	*to = append(*to, cdx.Property{Name: name, Value: value})
	return to
}

func component(p part) cdx.Component {
	name := p.name
	if p.kind == "npm" {
		name = strings.ReplaceAll(name, "@", "%40")
	}
	where := "pkg:" + p.kind + "/" + name + "@" + url.PathEscape(p.version)
	c := cdx.Component{BOMRef: where, Type: cdx.ComponentTypeLibrary, Name: p.name, Version: p.version, PackageURL: where}
	if p.license != "" {
		c.Licenses = &cdx.Licenses{{Expression: p.license}}
	}
	return c
}
