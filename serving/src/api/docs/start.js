// Shows this replica's own description.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  // Nothing is sent to anybody else.
  validatorUrl: null,
  onComplete: () => {
    const title = document.querySelector("#swagger-ui .info .title");
    if (!title) return;
    document.title = title.firstChild.textContent;
    // The name of a model is one word: a phone is narrower.
    title.style.overflowWrap = "anywhere";
  },
});
