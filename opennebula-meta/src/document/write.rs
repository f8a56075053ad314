//! A document back to XML, in one fixed form. No value can end its CDATA.

use super::Element;

/// Writes `element` and what is below it and passes `keep`.
pub(super) fn xml(element: Element<'_>, keep: &dyn Fn(Element<'_>) -> bool) -> String {
    let mut out = String::new();
    write(element, keep, &mut out);
    out
}

fn write(element: Element<'_>, keep: &dyn Fn(Element<'_>) -> bool, out: &mut String) {
    let name = element.name();
    out.push('<');
    out.push_str(name);
    if element.is_leaf() && element.text().is_empty() {
        // OpenNebula drops an element without text where it reads a template; a stated empty value stays stated.
        if element.is_stated() {
            out.push_str("><![CDATA[]]></");
            out.push_str(name);
            out.push('>');
        } else {
            out.push_str("/>");
        }
        return;
    }
    out.push('>');
    if element.is_leaf() {
        cdata(element.text(), out);
    } else {
        for child in element.children().filter(|child| keep(*child)) {
            write(child, keep, out);
        }
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Writes a value in CDATA; `]]>` within it is split over two sections, which our reader joins again. (OpenNebula's
/// reader does not: templates for it are written in `template`, which refuses such a value.)
fn cdata(text: &str, out: &mut String) {
    out.push_str("<![CDATA[");
    out.push_str(&text.replace("]]>", "]]]]><![CDATA[>"));
    out.push_str("]]>");
}
