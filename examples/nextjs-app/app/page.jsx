import { prompts } from "../prompts.mjs";

// Rendered at each request: the prompt comes from memory and may have changed.
export const dynamic = "force-dynamic";

export default async function Page({ searchParams }) {
  const { name = "stranger" } = await searchParams;
  const headline = await prompts.render("example-headline", { name }, { default: "Good to see you." });
  return <h1>{headline}</h1>;
}
