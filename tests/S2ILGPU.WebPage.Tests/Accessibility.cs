namespace S2ILGPU.WebPage.Tests;

/// <summary>Scripts that look for faults which shut out users.</summary>
internal static class Accessibility
{
    /// <summary>Controls without a name for a screen reader.</summary>
    public const string NamelessControls = """
        [...document.querySelectorAll("button, input, textarea, select, canvas, [role=log], section")]
            .filter(control => ![control.getAttribute("aria-label"),
                document.getElementById(control.getAttribute("aria-labelledby"))?.textContent,
                ...[...control.labels ?? []].map(label => label.textContent),
                control.tagName === "BUTTON" ? control.textContent : ""].some(name => name?.trim()))
            .map(control => control.outerHTML)
        """;

    /// <summary>Texts whose contrast to what is behind them is below 4.5 to 1.</summary>
    public const string WeakTexts = """
        (() => {
            const channel = c => c <= 0.04045 * 255 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
            const luminance = colour => {
                const [r, g, b] = colour.match(/[\d.]+/g).map(Number).map(channel);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const behind = element => {
                const colour = getComputedStyle(element).backgroundColor;
                return /, 0\)$/.test(colour) ? behind(element.parentElement) : colour;
            };
            const texts = [...document.body.querySelectorAll("*")].filter(element => element.checkVisibility()
                && !element.closest("svg, canvas")
                && (element.matches("input, textarea, select") || [...element.childNodes].some(node =>
                    node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "")));
            if (texts.length < 30)
                return [`only ${texts.length} texts were found`];
            return texts.flatMap(element => {
                const [front, back] = [getComputedStyle(element).color, behind(element)].map(luminance);
                const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
                return contrast >= 4.5 ? [] : [`${contrast.toFixed(2)}: ${element.outerHTML}`];
            });
        })()
        """;
}
