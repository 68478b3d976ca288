import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type DefaultTheme } from "vitepress";

const docs = fileURLToPath(new URL("..", import.meta.url));
const copies: Record<string, string> = JSON.parse(readFileSync(`${docs}generator/copies.json`, "utf8"));

type Item = DefaultTheme.SidebarItem;

function page(text: string, link: string): Item {
  return { text, link };
}

function title(path: string): string {
  return readFileSync(docs + path, "utf8").match(/^# (.*)$/m)?.[1] ?? path;
}

const decisions = readdirSync(`${docs}decisions`)
  .filter((name) => /^\d{4}-.*\.md$/.test(name))
  .sort()
  .map((name) => page(title(`decisions/${name}`), `/decisions/${name.replace(".md", "")}`));

const rest = readdirSync(`${docs}reference/rest`)
  .filter((name) => !["index.md", "schemas.md"].includes(name))
  .sort()
  .map((name) => page(name.replace(".md", ""), `/reference/rest/${name.replace(".md", "")}`));

const sidebar: Item[] = [
  {
    text: "Start",
    items: [page("Overview", "/start"), page("Tutorial", "/tutorial"), page("Concepts and glossary", "/concepts"), page("Comparison and figures", "/reference/readme")],
  },
  {
    text: "Prompts",
    items: [
      page("Prompts and chat prompts", "/prompts"),
      page("Rollouts", "/rollouts"),
      page("Change requests", "/change_requests"),
      page("Hot reload", "/hot-reload"),
      page("Prompts as code", "/as-code"),
      page("Playground", "/playground"),
    ],
  },
  {
    text: "SDKs",
    items: [
      page("Python", "/reference/python"),
      page("Node", "/reference/node"),
      page("Java", "/reference/java"),
      page("SDK protocol", "/sdk-protocol"),
    ],
  },
  {
    text: "Agents and workflows",
    items: [
      page("Agents", "/agents"),
      page("Workflows", "/workflows"),
      page("Versions", "/versions"),
      page("Runs", "/runs"),
      page("Schedules", "/schedules"),
      page("Triggers and webhooks", "/triggers"),
      page("Approvals", "/approvals"),
      page("Model gateway", "/gateway"),
      page("Model providers", "/providers"),
    ],
  },
  {
    text: "Operation",
    items: [
      page("The web console", "/console"),
      page("Access", "/access"),
      page("Workspaces and environments", "/workspaces"),
      page("Settings, explained", "/settings"),
      page("Operations", "/operations"),
      page("Production", "/production"),
      page("Scaling", "/scaling"),
      page("Workers", "/workers"),
      page("Backup and restore", "/backup"),
      page("Observability", "/observability"),
      page("Security", "/reference/security"),
    ],
  },
  {
    text: "Moving here",
    items: [page("Import", "/import"), page("Existing clients", "/compatibility")],
  },
  {
    text: "Reference",
    items: [
      { text: "REST API", link: "/reference/rest/", collapsed: true, items: [...rest, page("schemas", "/reference/rest/schemas")] },
      page("Commands", "/reference/cli"),
      page("Settings", "/reference/settings"),
      page("Events", "/reference/events"),
      page("Kinds of steps", "/reference/steps"),
      page("Python API", "/reference/sdk-python"),
      page("Node API", "/reference/sdk-node"),
      page("Java API", "/reference/sdk-java"),
      page("SDK conformance", "/reference/conformance"),
      page("Changelog", "/reference/changelog"),
    ],
  },
  {
    text: "Architecture",
    items: [
      page("Design document", "/PromptOps"),
      page("Rooms and files", "/architecture"),
      page("Contributing", "/reference/contributing"),
      { text: "Decision records", link: "/decisions/", collapsed: true, items: decisions },
    ],
  },
];

const chineseSidebar: Item[] = [
  {
    text: "入门",
    items: [page("概览", "/zh/start"), page("教程", "/zh/tutorial"), page("概念和术语", "/zh/concepts")],
  },
  {
    text: "指南",
    items: [page("定时", "/zh/schedules"), page("触发器和 webhook", "/zh/triggers"), page("审批", "/zh/approvals")],
  },
  {
    text: "更多（英文）",
    items: [
      page("提示词", "/prompts"),
      page("灰度发布", "/rollouts"),
      page("热更新", "/hot-reload"),
      page("智能体", "/agents"),
      page("工作流", "/workflows"),
      page("运行", "/runs"),
      page("访问控制", "/access"),
      page("设置", "/settings"),
      page("运维", "/operations"),
      page("REST API", "/reference/rest/"),
    ],
  },
];

/** Where a relative link of a page leads on the site: itself, a copy, or null for a source. */
function target(from: string, href: string): string | null {
  const [path = "", anchor] = href.split("#");
  const file = posix.normalize(posix.join("docs", posix.dirname(from), path));
  if (file.startsWith("docs/") && !file.startsWith("docs/decisions/../")) {
    return file === "docs/decisions" ? "/decisions/" : href;
  }
  const copy = copies[file];
  return copy === undefined ? null : `/${copy.replace(/\.md$/, "")}${anchor ? `#${anchor}` : ""}`;
}

export default defineConfig({
  title: "PromptOps",
  description: "A self-hosted runtime platform for AI prompts, agents and workflows.",
  lang: "en",
  cleanUrls: true,
  lastUpdated: false,
  srcExclude: ["generator/**", "node_modules/**"],
  head: [["link", { rel: "icon", href: "/favicon.svg", type: "image/svg+xml" }]],
  base: process.env["DOCS_BASE"] ?? "/",
  markdown: {
    config(md) {
      // Placeholders of prompts are not expressions of Vue.
      for (const rule of ["text", "code_inline"] as const) {
        const render = md.renderer.rules[rule]!;
        md.renderer.rules[rule] = (...args) => render(...args).replaceAll("{{", "&#123;&#123;");
      }
      md.core.ruler.push("links-of-the-repository", (state) => {
        for (const token of state.tokens) {
          let isSource = false;
          for (const child of token.children ?? []) {
            if (child.type === "link_open") {
              const href = child.attrGet("href") ?? "";
              if (/^(?:[a-z]+:|#|\/)/i.test(href)) continue;
              const link = target(state.env.relativePath ?? "", href);
              if (link === null) {
                isSource = true;
                child.tag = "span";
                child.attrs = [];
                child.type = "source_open";
              } else {
                child.attrSet("href", link);
              }
            } else if (child.type === "link_close" && isSource) {
              isSource = false;
              child.tag = "span";
              child.type = "source_close";
            }
          }
        }
      });
    },
  },
  locales: {
    root: { label: "English", lang: "en" },
    zh: {
      label: "简体中文",
      lang: "zh-CN",
      description: "可自行部署的 AI 提示词、智能体和工作流运行平台。",
      themeConfig: {
        nav: [
          { text: "入门", link: "/zh/start" },
          { text: "教程", link: "/zh/tutorial" },
          { text: "概念", link: "/zh/concepts" },
        ],
        outline: { label: "本页内容", level: [2, 3] },
        docFooter: { prev: "上一页", next: "下一页" },
        returnToTopLabel: "返回顶部",
        sidebarMenuLabel: "菜单",
        darkModeSwitchLabel: "外观",
        lightModeSwitchTitle: "切换到浅色",
        darkModeSwitchTitle: "切换到深色",
        langMenuLabel: "语言",
      },
    },
  },
  themeConfig: {
    // Most pages are in English only: the menu of languages leads to the start of each.
    i18nRouting: false,
    logo: "/favicon.svg",
    outline: { level: [2, 3] },
    nav: [
      { text: "Start", link: "/start", activeMatch: "^/(start|tutorial|concepts)" },
      { text: "Guides", link: "/prompts" },
      { text: "Reference", link: "/reference/rest/", activeMatch: "^/reference/(rest|cli|settings|events|steps|sdk)" },
      { text: "Architecture", link: "/architecture", activeMatch: "^/(architecture|PromptOps|decisions)" },
    ],
    sidebar: { "/": sidebar, "/zh/": chineseSidebar },
    search: {
      provider: "local",
      options: {
        locales: {
          zh: {
            translations: {
              button: { buttonText: "搜索", buttonAriaLabel: "搜索" },
              modal: {
                noResultsText: "没有找到结果",
                resetButtonTitle: "清除",
                footer: { selectText: "选择", navigateText: "移动", closeText: "关闭" },
              },
            },
          },
        },
      },
    },
    footer: { message: "Apache License 2.0" },
  },
});
