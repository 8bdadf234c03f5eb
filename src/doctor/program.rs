//! Whether WeChat takes a Mini Program's AppID and AppSecret.

use super::check::{either, told, within};
use super::{Check, Context, NO_CLIENT, Name};
use crate::config::MiniProgram;
use crate::wechat::login::{InvalidLoginCode, LoginCode, LoginRefusal};
use crate::wechat::{Class, Client, Error};

/// A code that WeChat never gave anybody.
const DUMMY: &str = "unionid-bridge-doctor";

pub(super) async fn examine(context: &Context<'_>, program: &MiniProgram) -> Check {
    let name = Name::LoginSecret;
    let check = match &context.client {
        Some(client) => either(within(context.limit(), name, try_secret(client, program)).await),
        None => Check::skipped(name, NO_CLIENT),
    };
    check.about(&program.appid)
}

async fn try_secret(client: &Client, program: &MiniProgram) -> Result<Check, Check> {
    let name = Name::LoginSecret;
    let code: LoginCode =
        DUMMY.parse().map_err(|error: InvalidLoginCode| Check::skipped(name, error.to_string()))?;
    let Err(error) = client.code_to_session(&program.appid, &program.secret, &code).await else {
        let hint = "look at wechat.base_url: whoever answers there takes any code";
        return Ok(Check::warn(name, "WeChat took a code that it never gave", hint));
    };
    Ok(match error.login_refusal() {
        // WeChat looks at the code only after the AppID and the AppSecret.
        Some(LoginRefusal::InvalidCode | LoginRefusal::UsedCode | LoginRefusal::Blocked) => {
            Check::ok(name, "WeChat takes the AppID and the AppSecret")
        }
        Some(LoginRefusal::TooOften) => {
            Check::warn(name, told(&error), "run `doctor` again in a minute")
        }
        None => refused(&error),
    })
}

fn refused(error: &Error) -> Check {
    let hint = match error.class() {
        Class::Config => "compare appid and secret with the Mini Program's console",
        _ => "if WeChat can be reached, try again in a minute",
    };
    Check::fail(Name::LoginSecret, told(error), error.hint().unwrap_or_else(|| hint.to_owned()))
}
