//! `send`: sends one message to one user, as the API does, whether or not a `serve` is running.

use std::time::Duration;

use clap::{ArgGroup, Args};
use tokio_util::sync::CancellationToken;

use super::template_data::{Pair, texts};
use super::{Exit, Failure, Global, context, output};
use crate::app::App;
use crate::http::responses::MessageResponse;
use crate::model::{
    AppId, Attempt, Channel, Content, Jump, MessageId, MessageState, OpenId, TemplateId, UnionId,
};
use crate::push::{Accepted, MessageSpec, MessageView, Refusal, SendRequest};
use crate::resolve::User;

/// Send a message to a user
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("user").required(true))]
pub(super) struct Send {
    /// The Mini Program or Official Account that the openid belongs to, by name or AppID
    #[arg(long, value_name = "ACCOUNT", requires = "openid")]
    from: Option<String>,
    /// The recipient's openid in that account
    #[arg(long, group = "user", requires = "from")]
    openid: Option<OpenId>,
    /// The recipient's unionid
    #[arg(long, group = "user")]
    unionid: Option<UnionId>,
    /// The sending account, by name or AppID: an Official Account sends a template message, a Mini
    /// Program a subscribe message; optional if only one Official Account is configured
    #[arg(long, value_name = "ACCOUNT")]
    app: Option<String>,
    /// The template's id, from `templates list`
    #[arg(long = "template", value_name = "ID")]
    template_id: TemplateId,
    /// The text for one of the template's keys; may be repeated
    #[arg(long = "data", value_name = "KEY=TEXT")]
    data: Vec<Pair>,
    /// URL that a tap on an Official Account's message opens
    #[arg(long)]
    url: Option<String>,
    /// Mini Program that a tap on an Official Account's message opens, by name or AppID
    #[arg(long, value_name = "ACCOUNT")]
    mini_program: Option<String>,
    /// Page that a tap opens, in that Mini Program or in the sending one
    #[arg(long, value_name = "PATH")]
    page: Option<String>,
    /// Seconds to wait for WeChat's answer
    #[arg(long, value_name = "S", default_value_t = 30)]
    wait: u64,
}

impl Send {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::open_app(global).await?;
        let timeout = Duration::from_secs(self.wait);
        let request = self.request(&app)?;
        let sender = app.push.sends(&request.message)?.clone();
        let accepted = app.push.accept(&[request], None, |_| String::new()).await?;
        let verdict = match accepted {
            Accepted::New(verdicts) => verdicts.into_iter().next(),
            // Only a request with an Idempotency-Key can have been accepted before.
            Accepted::Replayed(_) => None,
        };
        match verdict {
            Some(Ok(id)) => deliver(&app, &sender, &id, timeout, global.json).await,
            Some(Err(refusal)) => Err(refused(refusal)),
            None => Ok(Exit::Failed),
        }
    }

    /// Rejects options that the message would silently ignore.
    fn refuse_unused(&self, channel: Channel) -> Result<(), Failure> {
        let (problem, hint) = match channel {
            Channel::Template if self.page.is_some() && self.mini_program.is_none() => (
                "--page needs --mini-program when an Official Account sends",
                "add --mini-program with the Mini Program that has the page",
            ),
            Channel::Subscribe if self.url.is_some() || self.mini_program.is_some() => (
                "--url and --mini-program cannot be used when a Mini Program sends",
                "use --page, or let an Official Account send with --app",
            ),
            _ => return Ok(()),
        };
        Err(Failure::new(Exit::Usage, anyhow::anyhow!(problem), Some(hint.to_owned())))
    }

    fn request(self, app: &App) -> Result<SendRequest, Failure> {
        let config = &app.config;
        let sender = context::sender(config, self.app.as_deref())?;
        let is_official = config.official_accounts.iter().any(|known| known.appid == sender);
        let channel = if is_official { Channel::Template } else { Channel::Subscribe };
        self.refuse_unused(channel)?;
        let jump_target = self.mini_program.as_deref().map(|named| find_program(app, named));
        let data = texts(&self.data);
        let content = match (channel, jump_target.transpose()?) {
            (Channel::Template, Some(appid)) => Content {
                data,
                url: self.url,
                miniprogram: Some(Jump { appid, pagepath: self.page }),
                ..Content::default()
            },
            (Channel::Template, None) => Content { data, url: self.url, ..Content::default() },
            (Channel::Subscribe, _) => Content { data, page: self.page, ..Content::default() },
        };
        let to = match (self.from, self.openid, self.unionid) {
            (Some(from), Some(openid), _) => {
                User::OpenId { appid: context::account(config, &from)?, openid }
            }
            (_, _, Some(unionid)) => User::Unionid(unionid),
            // clap requires one of the two.
            _ => {
                let error = anyhow::anyhow!("no recipient is given");
                return Err(Failure::new(Exit::Failed, error, None));
            }
        };
        let (sender, template_id) = (Some(sender), self.template_id);
        Ok(SendRequest {
            to,
            message: MessageSpec { channel, sender, template_id, content },
            fallback: None,
        })
    }
}

/// Returns the AppID of the Mini Program that a tap opens: a configured one by name, or any by AppID.
fn find_program(app: &App, named: &str) -> Result<AppId, Failure> {
    match app.config.mini_program(named) {
        Ok(program) => Ok(program.appid.clone()),
        Err(unknown) => named.parse().map_err(|_| unknown.into()),
    }
}

/// Works on the queue until the message is sent or the timeout is over, and prints the result.
async fn deliver(
    app: &App,
    sender: &AppId,
    id: &MessageId,
    timeout: Duration,
    json: bool,
) -> Result<Exit, Failure> {
    let stop = CancellationToken::new();
    // Only the sending account: the queues of others may be stopped on purpose.
    let work = app.push.clone().work_on(sender, stop.clone());
    let wait = async {
        let found = app.push.wait(id, timeout).await;
        stop.cancel();
        found
    };
    let (found, ()) = tokio::join!(wait, work);
    let Some(message) = found? else { return Ok(Exit::Failed) };
    print(&message, json);
    Ok(match message.state {
        MessageState::Sent | MessageState::Delivered => Exit::Done,
        _ if message.is_open() => Exit::Paused,
        MessageState::Queued | MessageState::Failed | MessageState::Unknown => Exit::Failed,
    })
}

fn print(message: &MessageView, json: bool) {
    if json {
        return output::json(&MessageResponse::from(message.clone()));
    }
    output::data(format_args!("{} {}", message.id, message.state));
    if let Some(reason) = &message.reason {
        output::message(format_args!(
            "{reason}{}",
            wechat_error(message.attempts.last().filter(|attempt| attempt.outcome == *reason))
        ));
    }
    match message.state {
        MessageState::Queued => {
            output::message("the message stays queued until a running `serve` sends it");
        }
        MessageState::Unknown if message.is_open() => output::message(
            "WeChat may have received the message; it is sent again by a running `serve`, but only while \
             WeChat suppresses duplicates",
        ),
        MessageState::Unknown => output::message(
            "WeChat may have received the message; if callbacks are configured, its receipt decides",
        ),
        _ => {}
    }
}

/// Formats WeChat's error of the latest attempt.
fn wechat_error(attempt: Option<&Attempt>) -> String {
    match attempt {
        Some(Attempt { errcode: Some(errcode), errmsg: Some(errmsg), .. }) => {
            format!(": {errcode} {errmsg}")
        }
        Some(Attempt { errmsg: Some(errmsg), .. }) => format!(": {errmsg}"),
        _ => String::new(),
    }
}

fn refused(refusal: Refusal) -> Failure {
    let hint = refusal.hint().map(str::to_owned);
    let error = anyhow::anyhow!("{}: {refusal}", refusal.code());
    Failure::new(Exit::Failed, error, hint)
}
