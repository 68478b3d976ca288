/// <reference types="vite/client" />

declare module 'cronstrue/locales/zh_CN'
