package io.promptops;

/**
 * One message of a chat prompt.
 *
 * @param role system, user, assistant, ...
 * @param content the text, with placeholders
 */
public record Message(String role, String content) {}
