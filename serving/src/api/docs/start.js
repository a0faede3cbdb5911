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
    if (title) document.title = title.firstChild.textContent;
  },
});
